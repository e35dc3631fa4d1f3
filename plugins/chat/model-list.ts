import { Agents, type Caller, type Host, Passthrough, Providers } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"

/** Many a client shows all of them in one menu. */
const most = 5_000

/** What can stand under `model`: each agent that the caller may use under both of its names, then the models of the tenant's providers. */
export async function modelList(host: Host<typeof manifest>, caller: Caller) {
  const [agents, lists] = await Promise.all([host.use(Agents).list(caller), host.has(Passthrough) ? host.use(Providers).models(caller) : []])
  const entry = (id: string, created: number, owned_by: string) => ({ id, object: "model" as const, created, owned_by })
  const active = agents.filter(({ status }) => status === "active").map(({ key, createdAt }) => ({ key, created: Math.floor(Date.parse(createdAt) / 1_000) }))
  return [
    ...active.map(({ key, created }) => entry(`goclaw:${key}`, created, "goclaw")),
    ...active.map(({ key, created }) => entry(`agent:${key}`, created, "goclaw")),
    // Providers do not say when a model was made in a way that they share.
    ...lists.flatMap(({ provider, models }) => models.map(({ id }) => entry(`${provider}/${id}`, 0, provider))),
  ].slice(0, most)
}
