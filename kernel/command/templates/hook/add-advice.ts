import type { Tap } from "@plugboard/sdk"

/** Returns a new prompt, or the very same one when it has nothing to add. */
export function addAdvice({ word, advice }: Readonly<{ word: string; advice: string }>): Tap<"prompt.assembling"> {
  return function adviseOnWord(prompt) {
    if (!prompt.message.toLowerCase().includes(word.toLowerCase())) return prompt
    return { ...prompt, sections: [...prompt.sections, { key: "scaffold", text: advice }] }
  }
}
