/** Why a text may not run: half a sentence that names what is refused and what to write instead. It crosses from the judge's thread as its message. */
export class Refusal extends Error {}
