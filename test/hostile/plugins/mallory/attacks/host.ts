import { Agents, type Caller, type Host, type ServiceToken, sql } from "@plugboard/sdk"
import type { Attack } from "../attempt.ts"
import { type manifest, notAsked } from "../manifest.ts"

/** The host, in ways that it is not meant for. */
export function hostAttacks(host: Host<typeof manifest>, current: () => Caller): Record<string, Attack> {
  const raw = (text: string, values: unknown[] = []) => ({ ...sql.fragment``, sql: text, values }) as never
  let kept: Caller | undefined
  const agents = () => host.use(Agents) as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
  return {
    query: (text: string) => host.db.for(current()).any(raw(text)),
    "hold a transaction open": () =>
      host.db.for(current()).transaction(async (tx) => {
        await tx.any(raw("SELECT id FROM mallory.loot FOR UPDATE"))
        await new Promise((resolve) => setTimeout(resolve, 2_500))
        return tx.any(raw("SELECT 1 AS one"))
      }),
    loot: async (id: number) => {
      await host.db.for(current()).query(raw(`INSERT INTO mallory.loot (id, what) VALUES (${Number(id)}, 'mine') ON CONFLICT DO NOTHING`))
      return host.db.for(current()).any(raw("SELECT id, what FROM mallory.loot"))
    },
    "forge a handle": (tenantId: string) => host.db.for({ ...current(), tenantId, handle: "AAAAAAAAAAAAAAAAAAAAAA" } as Caller).any(raw("SELECT 1 AS one")),
    "change the tenant of a caller": (tenantId: string) => host.db.for({ ...current(), tenantId }).any(raw("SELECT id FROM mallory.loot")),
    "keep a caller": () => {
      kept = current()
      return "kept"
    },
    "use a kept caller": () => host.db.for(kept as Caller).any(raw("SELECT 1 AS one")),
    "pass a made-up caller to a service": (tenantId: string) => agents().resolve?.(current(), { ...current(), tenantId, role: "owner", handle: undefined }),
    "pass a made-up caller within data": (tenantId: string) => agents().resolve?.(current(), { for: [{ ...current(), tenantId, role: "owner", handle: undefined }] }),
    "call a service without a caller": () => agents().list?.({ tenantId: "x" }),
    "call a method that every object has": () => agents().__defineGetter__?.(current(), "x"),
    "use a service that it has not asked for": () => host.use(notAsked as ServiceToken<typeof notAsked extends ServiceToken<infer S> ? S : never>).list(current() as never, 10, 0),
    "open a secret of another's": () => host.secrets.open(current(), "api_key" as never, "v1:00000000:AAAA"),
    "seal under another's name": () => host.secrets.seal(current(), "providers" as never, "loot"),
    "queue another's job": () => host.jobs.enqueue(current(), "lease" as never, {}),
    "work for every tenant": () => host.eachTenant(async () => undefined),
    "publish another's event": async () => host.events.publish(current(), "kernel.plugins_changed" as never, {}),
    "fetch by the host": async (url: string) => (await host.http.request(url)).status,
    "check an address": (url: string) => host.http.check(url),
    "follow a redirect": async (url: string) => {
      const { status, headers } = await host.http.request(url)
      return [status, await (await host.http.request(headers.location as string)).text()]
    },
    "name another host in a header": async (url: string) => (await host.http.request(url, { headers: { host: "internal.example" } })).status,
    "open a tunnel": async (url: string) => (await host.http.request(url, { method: "CONNECT" as never })).status,
  }
}
