import { type AgentSection, agentFileNames, type Host, type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import { mergeMetadata, writeInstanceFile } from "./instances.ts"
import type { manifest } from "./manifest.ts"
import { filesOf, writeFile } from "./store.ts"

const Name = Type.Enum([...agentFileNames])
const Content = Type.String({ maxLength: 1_000_000 })
const UserId = Type.String({ minLength: 1, maxLength: 255 })
const File = Type.Object({ file_name: Name, content: Content })
const Profile = Type.Object({ user_id: UserId, metadata: Type.Record(Type.String({ maxLength: 100 }), Type.String({ maxLength: 10_000 }), { maxProperties: 100 }) })
const Override = Type.Object({ user_id: UserId, file_name: Name, content: Content })
const Counts = row(Type.Object({ files: Type.Integer(), profiles: Type.Integer(), overrides: Type.Integer(), users: Type.Integer() }))
const page = 100

const profilesAfter = (db: Queries, agentId: string, user: string) =>
  db.any(sql.type(row(Profile))`
    SELECT user_id, metadata FROM agent_files.instances WHERE agent_id = ${agentId} AND user_id > ${user} ORDER BY user_id LIMIT ${page}`)
const overridesAfter = (db: Queries, agentId: string, user: string, file: string) =>
  db.any(sql.type(row(Override))`
    SELECT user_id, file_name, content FROM agent_files.instance_files
    WHERE agent_id = ${agentId} AND (user_id, file_name) > (${user}, ${file}) ORDER BY user_id, file_name LIMIT ${page}`)

/** What of an agent's files goes into its export. */
export function sectionsOf(host: Host<typeof manifest>): [string, AgentSection][] {
  const countAll = (db: Queries, id: string) =>
    db.one(sql.type(Counts)`
      SELECT (SELECT count(*)::int FROM agent_files.files WHERE agent_id = ${id}) AS files, (SELECT count(*)::int FROM agent_files.instances WHERE agent_id = ${id}) AS profiles,
        (SELECT count(*)::int FROM agent_files.instance_files WHERE agent_id = ${id}) AS overrides,
        (SELECT count(DISTINCT user_id)::int FROM agent_files.instance_files WHERE agent_id = ${id}) AS users`)

  const contextFiles: AgentSection = {
    entry: File,
    counts: async (caller, { id }) => ({ context_files: (await countAll(host.db.for(caller), id)).files }),
    async *read(caller, { id }) {
      for (const { name, content } of await filesOf(host.db.for(caller), id)) yield { file_name: name, content }
    },
    async write(caller, { id }, entries) {
      const files = entries as Static<typeof File>[]
      await host.db.for(caller).transaction(async (tx) => {
        for (const { file_name, content } of files) await writeFile(tx, id, { name: file_name, content })
        tx.publish("agent_files.changed", {})
      })
      return { context_files: files.length }
    },
  }
  const userProfiles: AgentSection = {
    entry: Profile,
    counts: async (caller, { id }) => ({ user_profiles: (await countAll(host.db.for(caller), id)).profiles }),
    async *read(caller, { id }) {
      for (let last = ""; ; ) {
        const rows = await profilesAfter(host.db.for(caller), id, last)
        yield* rows
        if (rows.length < page) return
        last = rows.at(-1)?.user_id ?? ""
      }
    },
    async write(caller, { id }, entries) {
      const profiles = entries as Static<typeof Profile>[]
      await host.db.for(caller).transaction(async (tx) => {
        for (const [index, { user_id, metadata }] of profiles.entries())
          if (!(await mergeMetadata(tx, id, user_id, metadata, 100))) throw host.fail("bad_entry", { section: "user_profiles", entry: index + 1 })
      })
      return { user_profiles: profiles.length }
    },
  }
  const userOverrides: AgentSection = {
    entry: Override,
    async counts(caller, { id }) {
      const { overrides, users } = await countAll(host.db.for(caller), id)
      return { user_overrides: overrides, user_context_files_users: users }
    },
    async *read(caller, { id }) {
      for (let [user, file] = ["", ""]; ; ) {
        const rows = await overridesAfter(host.db.for(caller), id, user, file)
        yield* rows
        if (rows.length < page) return
        user = rows.at(-1)?.user_id ?? ""
        file = rows.at(-1)?.file_name ?? ""
      }
    },
    async write(caller, { id }, entries) {
      const overrides = entries as Static<typeof Override>[]
      await host.db.for(caller).transaction(async (tx) => {
        for (const { user_id, file_name, content } of overrides) await writeInstanceFile(tx, id, user_id, { name: file_name, content })
        tx.publish("agent_files.changed", {})
      })
      return { user_overrides: overrides.length }
    },
  }
  return [
    ["context_files", contextFiles],
    ["user_profiles", userProfiles],
    ["user_overrides", userOverrides],
  ]
}
