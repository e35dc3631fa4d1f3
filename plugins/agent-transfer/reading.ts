import type { Host } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { UnreadableArchive, unpack } from "./tarball.ts"

/** What somebody wants to bring in. Nothing in it has been checked but its form. */
export interface Incoming {
  about: Record<string, unknown>
  /** Fields of the agent; empty when the archive has none. */
  agent: Record<string, unknown>
  sections: Map<string, unknown[]>
  /** What the form asks for instead of what the archive says. */
  key: string | undefined
  displayName: string | undefined
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value)
const aText = (value: unknown) => (typeof value === "string" && value.trim() !== "" ? value.trim() : undefined)
const sectionFile = /^([a-z][a-z_]{0,40})\.jsonl$/
/** Members of a bundle that are no sections. */
const envelope = new Set(["version", "format", "exported_at", "exported_by", "sections", "agent", "agent_key", "display_name", "manifest"])

/** An archive as it came: a form with a file, or a bundle as JSON, alone or as that file. */
export async function readIncoming(host: Host<typeof manifest>, body: Uint8Array, contentType: string | undefined): Promise<Incoming> {
  if (!contentType?.startsWith("multipart/form-data")) return readArchive(host, body)
  const form = await new Response(new Uint8Array(body), { headers: { "content-type": contentType } }).formData().catch(() => null)
  const file = form?.get("file")
  if (!form || !file || typeof file === "string") throw host.fail("no_archive", {})
  const incoming = await readArchive(host, new Uint8Array(await file.arrayBuffer()))
  return { ...incoming, key: aText(form.get("agent_key")) ?? incoming.key, displayName: aText(form.get("display_name")) ?? incoming.displayName }
}

function readArchive(host: Host<typeof manifest>, bytes: Uint8Array): Incoming | Promise<Incoming> {
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? readTarball(host, bytes) : readBundle(host, bytes)
}

function parsed(host: Host<typeof manifest>, bytes: Uint8Array): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    throw host.fail("no_archive", {})
  }
  if (!isObject(value)) throw host.fail("no_archive", {})
  return value
}

function readBundle(host: Host<typeof manifest>, bytes: Uint8Array): Incoming {
  const bundle = parsed(host, bytes)
  if (!isObject(bundle.agent) && !Array.isArray(bundle.context_files)) throw host.fail("no_archive", {})
  const sections = new Map<string, unknown[]>()
  for (const [name, entries] of Object.entries(bundle)) if (!envelope.has(name) && Array.isArray(entries)) sections.set(name === "memories" ? "memory" : name, entries)
  const agent = isObject(bundle.agent) ? bundle.agent : {}
  const { version, format, exported_at } = bundle
  const about = { version, format, exported_at, agent_key: agent.agent_key, agent_id: agent.id, sections: [...sections.keys()] }
  return { about, agent, sections, key: aText(bundle.agent_key), displayName: aText(bundle.display_name) }
}

async function readTarball(host: Host<typeof manifest>, bytes: Uint8Array): Promise<Incoming> {
  const wanted = (name: string) => name === "manifest.json" || name === "agent.json" || sectionFile.test(name)
  let files: Map<string, Buffer>
  try {
    files = await unpack(bytes, wanted, host.config.maxBytes)
  } catch (error) {
    if (!(error instanceof UnreadableArchive)) throw error
    throw error.tooLarge ? host.fail("too_large", { bytes: host.config.maxBytes }) : host.fail("no_archive", {}, { cause: error })
  }
  const about = files.get("manifest.json")
  if (!about) throw host.fail("no_archive", {})
  const sections = new Map<string, unknown[]>()
  for (const [name, content] of files) {
    const section = sectionFile.exec(name)?.[1]
    if (section) sections.set(section, await linesOf(host, content))
  }
  const agent = files.get("agent.json")
  return { about: parsed(host, about), agent: agent ? parsed(host, agent) : {}, sections, key: undefined, displayName: undefined }
}

/** Others have their turn in between: an archive may have many lines. */
async function linesOf(host: Host<typeof manifest>, content: Buffer): Promise<unknown[]> {
  const entries: unknown[] = []
  for (let from = 0; from < content.length; ) {
    const end = content.indexOf(10, from)
    const line = content.subarray(from, end < 0 ? content.length : end)
    from = end < 0 ? content.length : end + 1
    if (line.length > 0) entries.push(parsed(host, line))
    if (entries.length % 500 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return entries
}
