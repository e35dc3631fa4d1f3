import type { ModelMessage } from "../points/provider.ts"

/** What an image takes of a window, in bytes of text: providers count some thousand tokens, whatever its address is. */
const imageBytes = 4_000

/** UTF-8 bytes of what a model reads of a message. Over languages they tell more of its tokens than characters do: it is four for each, give or take a fourth. */
export function bytesOf({ content, thinking, toolCalls }: ModelMessage): number {
  let bytes = thinking === undefined ? 0 : Buffer.byteLength(thinking)
  if (typeof content === "string") bytes += Buffer.byteLength(content)
  else for (const part of content) bytes += part.type === "text" ? Buffer.byteLength(part.text) : imageBytes
  for (const { name, arguments: given } of toolCalls ?? []) bytes += name.length + Buffer.byteLength(JSON.stringify(given))
  return bytes
}
