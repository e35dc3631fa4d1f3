import { Backups, type Caller, definePlugin, reply, type SseFrame } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"
import { createRoom } from "./room.ts"

export default definePlugin(manifest, (host) => {
  const backups = host.use(Backups)
  const room = createRoom(host)

  async function take(caller: Caller) {
    await room.demand(caller)
    const { id, ...done } = await backups.write(caller)
    return { done, made: { download_url: `/v1/system/backup/download/${id}`, file_name: `plugboard-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.backup` } }
  }
  async function* told(caller: Caller): AsyncGenerator<SseFrame[]> {
    yield [{ event: "progress", data: { phase: "database", status: "running" } }]
    try {
      const { done, made } = await take(caller)
      yield [
        { event: "progress", data: { phase: "database", status: "done", current: done.rows, total: done.rows, detail: `${done.tables} tables` } },
        { event: "complete", data: made },
      ]
    } catch (error) {
      const text = await host.describe(error, caller.locale)
      if (text === null) host.log.error({ err: error }, "backup failed")
      yield [{ event: "error", data: { error: text ?? "internal error" } }]
    }
  }
  return {
    routes: {
      preflight: ({ caller }) => room.preflight(caller),
      take: async ({ query, caller }) => (query.stream === "true" ? reply.sse(told(caller)) : (await take(caller)).made),
      download: async ({ params, caller }) => {
        const path = await backups.find(caller, params.token)
        if (path === null) throw host.fail("unknown_backup", {})
        return reply.bytes({ path }, { contentType: "application/gzip", filename: `plugboard-${params.token}.backup` })
      },
      snapshot: ({ caller }) => backups.snapshot(caller),
    },
  }
})
