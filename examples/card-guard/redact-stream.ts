import type { Delta, Tap } from "@plugboard/sdk"
import { CardScanner } from "./card-scanner.ts"

/** What the model says while it says it. Text and thinking are texts of their own; anything else in between ends them. */
export function redactStream(mark: string): Tap<"llm.stream"> {
  return async function* redactDeltas(batches) {
    const scanner = new CardScanner(mark)
    let open: "text" | "thinking" | undefined
    const closing = (): Delta[] => {
      const rest = scanner.end()
      return open && rest !== "" ? [{ type: open, text: rest }] : []
    }
    for await (const batch of batches) {
      const passed: Delta[] = []
      for (const delta of batch) {
        if (delta.type !== open) passed.push(...closing())
        open = delta.type === "text" || delta.type === "thinking" ? delta.type : undefined
        if (delta.type !== "text" && delta.type !== "thinking") passed.push(delta)
        else {
          const text = scanner.push(delta.text)
          if (text !== "") passed.push({ ...delta, text })
        }
      }
      if (passed.length > 0) yield passed
    }
    const rest = closing()
    if (rest.length > 0) yield rest
  }
}
