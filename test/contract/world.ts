import type { TestClient } from "@plugboard/sdk/testing"

/** Something of each kind in the caller's tenant, by the names that the tables use. */
export async function makeWorld(admin: TestClient, owner: TestClient): Promise<ReadonlyMap<string, string>> {
  const rpc = await admin.rpc()
  const world = new Map<string, string>()
  const made = async (name: string, path: string, body: object) => {
    const answer = await (path === "/v1/tenants" ? owner : admin).post(path, body)
    if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    world.set(name, answer.body.id)
  }
  const job = async (name: string) => {
    const schedule = { kind: "cron", expr: "0 3 1 1 *", tz: "UTC" }
    const { job: row } = await rpc.call("cron.create", { name, schedule, message: "Report", agentId: "helper" })
    return row.id as string
  }
  const conversation = async (name: string) => {
    const key = `agent:helper:ws:direct:${name}`
    await rpc.call("chat.send", { agentId: "helper", sessionKey: key, message: "Hello" })
    world.set(name, key)
  }
  await made("agent", "/v1/agents", { agent_key: "helper", display_name: "Helper", agent_type: "predefined" })
  await made("peer", "/v1/agents", { agent_key: "peer", display_name: "Peer", agent_type: "predefined" })
  await made("key", "/v1/api-keys", { name: "of the world", scopes: ["operator.read"] })
  await made("provider", "/v1/providers", { name: "of-the-world", provider_type: "loopback" })
  await made("spare-provider", "/v1/providers", { name: "spare", provider_type: "loopback" })
  await made("other-tenant", "/v1/tenants", { name: "Other", slug: "other" })
  await made("spare-tenant", "/v1/tenants", { name: "Spare", slug: "spare" })
  const { link } = await rpc.call("agents.links.create", { sourceAgent: "helper", targetAgent: "peer" })
  world.set("link", link.id)
  world.set("job", await job("of-the-world"))
  world.set("spare-job", await job("spare"))
  for (const name of ["session", "spare-session", "other-session"]) await conversation(name)
  const { team } = await rpc.call("teams.create", { name: "Writers", lead: "helper", members: ["peer"] })
  world.set("team", team.id)
  const { task } = await rpc.call("teams.tasks.create", { teamId: team.id, subject: "Proofread" })
  world.set("task", task.id)
  return world
}
