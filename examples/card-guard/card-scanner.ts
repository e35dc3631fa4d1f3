import { isCardNumber } from "./card-number.ts"

/** The most digits that a card number has. Source: ISO/IEC 7812. */
const most = 19

/**
 * Puts a mark in the place of each card number of a text that comes in pieces; however it is cut, what comes out is the same.
 * A number is digits in groups with one space or dash between them, and begins and ends with a group. What could still become one is held back: 19 digits at most.
 */
export class CardScanner {
  readonly #mark: string
  /** Groups of digits whose meaning is open. Begins with a digit. */
  #held = ""
  #digits = 0
  /** In a group that is too long for a card, whose beginning has been passed on. */
  #tooLong = false

  constructor(mark: string) {
    this.#mark = mark
  }

  push(piece: string): string {
    if (this.#held === "" && !/\d/.test(piece)) {
      this.#tooLong &&= piece === ""
      return piece
    }
    let passed = ""
    for (const character of piece) passed += this.#take(character)
    return passed
  }

  /** The text is over: whatever was held back. */
  end(): string {
    let passed = ""
    while (this.#held !== "") passed += this.#settle()
    this.#tooLong = false
    return passed
  }

  #take(character: string): string {
    if (character >= "0" && character <= "9") {
      if (this.#tooLong) return character
      this.#held += character
      this.#digits += 1
      return this.#digits > most ? this.#settle() : ""
    }
    this.#tooLong = false
    if (this.#held === "" || !isGap(character) || isGap(this.#held.at(-1))) return this.end() + character
    this.#held += character
    return ""
  }

  /** Decides about the first group, of which everything is known that may belong to its number. */
  #settle(): string {
    const number = numberAtFront(this.#held)
    if (number > 0) {
      this.#drop(number)
      return this.#mark + this.#gap()
    }
    const group = /^\d*/.exec(this.#held)?.[0] ?? ""
    this.#drop(group.length)
    // Nothing behind it: more of the group may come.
    this.#tooLong = this.#held === ""
    return group + this.#gap()
  }

  #gap(): string {
    const gap = isGap(this.#held[0]) ? (this.#held[0] as string) : ""
    this.#drop(gap.length)
    return gap
  }

  #drop(length: number): void {
    this.#digits -= this.#held.slice(0, length).replace(/\D/g, "").length
    this.#held = this.#held.slice(length)
  }
}

/** Length of the longest card number that begins a text of digits and gaps and ends with a group; 0 when there is none. */
function numberAtFront(text: string): number {
  let digits = ""
  let length = 0
  for (const [at, character] of [...text].entries()) {
    if (isGap(character)) continue
    digits += character
    if (digits.length > most) break
    const groupEnds = at + 1 === text.length || isGap(text[at + 1])
    if (groupEnds && isCardNumber(digits)) length = at + 1
  }
  return length
}

function isGap(character: string | undefined): boolean {
  return character === " " || character === "-"
}
