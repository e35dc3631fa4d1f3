import type { Tap } from "@plugboard/sdk"

/** Adds the meaning of each term that the message names to the system prompt. */
export function addTerms(terms: Readonly<Record<string, string>>): Tap<"prompt.assembling"> {
  return function addGlossary(prompt) {
    const named = Object.entries(terms).filter(([term]) => prompt.message.includes(term))
    if (named.length === 0) return prompt
    const text = named.map(([term, meaning]) => `${term}: ${meaning}`).join("\n")
    return { ...prompt, sections: [...prompt.sections, { key: "glossary", text }] }
  }
}
