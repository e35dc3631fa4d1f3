/** The lines of a body, as batches: all that one piece of it completes. A last line needs no end. */
export async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncIterable<string[]> {
  const decoder = new TextDecoder()
  let open = ""
  for await (const bytes of body) {
    const lines = (open + decoder.decode(bytes, { stream: true })).split("\n")
    open = lines.pop() ?? ""
    const full = lines.filter((line) => line !== "")
    if (full.length > 0) yield full
  }
  const last = open + decoder.decode()
  if (last !== "") yield [last]
}
