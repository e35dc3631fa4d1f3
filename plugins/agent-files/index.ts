import { AgentFileStore, AgentFiles, AgentParts, AgentSections, agentFileNames, definePlugin, pageOf } from "@plugboard/sdk"
import { createFiles } from "./files.ts"
import { filesOfInstance, listInstances } from "./instances.ts"
import { manifest } from "./manifest.ts"
import { createPersona } from "./persona.ts"
import { sectionsOf } from "./sections.ts"
import { findFile, listFiles } from "./store.ts"

export default definePlugin(manifest, (host) => {
  const files = createFiles(host)
  const { addPersona, read, identity } = createPersona(host)
  host.offer(AgentFiles, { read, identity, setChecklist: (caller, agentId, content) => files.store.write(caller, agentId, [{ name: "HEARTBEAT.md", content }]) })
  host.offer(AgentFileStore, files.store)
  host.contribute(AgentParts, manifest.id, {
    remove: (caller, { id }) => files.removeAll(caller, id),
    renamed: (caller, { id }, displayName) => files.rename(caller, id, displayName),
  })
  for (const [name, section] of sectionsOf(host)) host.contribute(AgentSections, name, section)
  const updated = { status: "updated" } as const
  return {
    routes: {
      instances: async ({ params, query, caller }) => {
        const { id } = await files.owned(caller, params.id)
        const { limit, offset } = pageOf(query, 1_000)
        const rows = await listInstances(host.db.for(caller), id, limit, offset)
        return {
          instances: rows.map(({ first_seen_at, last_seen_at, metadata, ...row }) => ({
            ...row,
            ...(first_seen_at !== null && { first_seen_at }),
            ...(last_seen_at !== null && { last_seen_at }),
            ...(Object.keys(metadata).length > 0 && { metadata }),
          })),
        }
      },
      instanceFiles: async ({ params: { id, userID }, caller }) => {
        const agent = await files.owned(caller, id)
        const rows = await filesOfInstance(host.db.for(caller), agent.id, userID)
        return { files: rows.map(({ name, content }) => ({ agent_id: agent.id, user_id: userID, file_name: name, content })) }
      },
      instanceFile: async ({ params: { id, userID, fileName }, caller }) => {
        const agent = await files.owned(caller, id)
        const name = files.named(fileName)
        const found = (await filesOfInstance(host.db.for(caller), agent.id, userID)).find((file) => file.name === name)
        if (!found) throw host.fail("missing_file", { file: name })
        return { agent_id: agent.id, user_id: userID, file_name: name, content: found.content }
      },
      setInstanceFile: async ({ params: { id, userID, fileName }, body, caller }) => {
        await files.setForUser(caller, await files.owned(caller, id), userID, { name: files.named(fileName), content: body.content })
        return updated
      },
      setMetadata: async ({ params: { id, userID }, body, caller }) => {
        await files.addMetadata(caller, await files.owned(caller, id), userID, body)
        return updated
      },
    },
    rpc: {
      "agents.files.list": async ({ agentId }, { caller, cliProfile }) => {
        const agent = await files.usable(caller, agentId)
        const there = new Map((await listFiles(host.db.for(caller), agent.id)).map((file) => [file.name, file]))
        const listed = agentFileNames.map((name) => ({ name, missing: !there.has(name), ...there.get(name) }))
        return cliProfile ? listed : { agentId: agent.key, files: listed }
      },
      "agents.files.get": async ({ agentId, name }, { caller, cliProfile }) => {
        const agent = await files.usable(caller, agentId)
        const content = await findFile(host.db.for(caller), agent.id, files.named(name))
        const file = content === null ? { name, missing: true } : { name, missing: false, size: Buffer.byteLength(content), content }
        return { agentId: agent.key, file, ...(cliProfile && { content: content ?? "" }) }
      },
      "agents.files.set": async ({ agentId, name, content, propagate }, { caller }) => {
        // The copies belong to other users.
        const agent = await (propagate ? files.owned(caller, agentId) : files.writable(caller, agentId))
        const propagated = await files.set(caller, agent, { name: files.named(name), content }, propagate ?? false)
        return { agentId: agent.key, file: { name, missing: false as const, size: Buffer.byteLength(content), content }, propagated }
      },
    },
    hooks: { "prompt.assembling": addPersona },
  }
})
