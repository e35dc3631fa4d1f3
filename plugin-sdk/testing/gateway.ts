import type { Role } from "../caller.ts"
import type { RouteDecl, RpcDecl } from "../manifest.ts"
import type { Plugin } from "../plugin.ts"
import { createClient, type TestClient } from "./client.ts"
import type { RpcClient } from "./rpc-client.ts"

export interface TestGatewayOptions {
  /** Plugins besides the bundled ones. With a folder: its `texts/` and `migrations/<id>/` are used. */
  plugins?: readonly (Plugin | { plugin: Plugin; folder: string })[]
  /** Folders of plugins, each run in a process of its own as an installed one is, with all that its manifest asks for granted. */
  sandboxed?: readonly string[]
  /** False: none of the bundled plugins. */
  bundled?: boolean
  /** What would stand in `plugboard.config.json`. */
  config?: Record<string, unknown>
  /** Undefined: a random token. Null: authentication is off. */
  token?: string | null
  /** Environment of the gateway; it sees nothing of the test's own. */
  env?: Record<string, string>
  /** True: every call of a service, hook, route or method copies what it carries, as if each plugin ran in a process of its own. */
  clone?: boolean
  /** A database that an earlier gateway of this test left behind. */
  on?: TestGateway["storage"]
}

/** Routes and methods as they are served now, for tests that go through all of them. */
export interface RegistryPicture {
  readonly routes: readonly { readonly plugin: string; readonly name: string; readonly decl: RouteDecl }[]
  readonly methods: ReadonlyMap<string, { readonly plugin: string; readonly method: string; readonly decl: RpcDecl }>
}

/** What the gateway's package gives for tests; the parts of `TestGateway` that need the kernel. */
export interface StartedGateway {
  readonly url: string
  readonly token: string | undefined
  readonly logs: readonly string[]
  /** The kernel's picture of what the active plugins contribute. */
  readonly registry: { readonly current: RegistryPicture }
  readonly storage: object
  /** Statements sent to the database so far. */
  readonly statements: { readonly count: number }
  /** SQL as the owner of the tables, past every policy: to look, and to break things. */
  executeSql(text: string, values?: readonly unknown[]): Promise<{ rows: Record<string, unknown>[] }>
  tenant(slug: string): Promise<string>
  key(tenantId: string, role: Role, userId: string): Promise<string>
  close(options?: { keep?: boolean }): Promise<void>
}

export interface TestGateway extends Omit<StartedGateway, "tenant" | "key"> {
  /** A client with that role. The tenant is made when it does not exist; `master` always does. */
  as(role: Role, tenant?: string, userId?: string): Promise<TestClient> & Pick<TestClient, "get" | "post" | "put" | "patch" | "delete" | "fetch" | "rpc">
  /** A tenant of a fresh id, for a test that must not see the others'. */
  tenant(slug: string): Promise<string>
}

/**
 * A gateway on a port of its own and a database of its own: embedded, or with TEST_DATABASE_URL a fresh one on that server.
 * Needs the package `plugboard` beside `@plugboard/sdk`.
 * @example const gateway = await testGateway({ plugins: [glossary] })
 */
export async function testGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const { startTestGateway } = (await import("plugboard/testing" as string)) as { startTestGateway(options: TestGatewayOptions): Promise<StartedGateway> }
  const started = await startTestGateway(options)
  const sockets = new Set<RpcClient>()
  const clients = new Map<string, Promise<TestClient>>()
  async function makeClient(role: Role, tenant: string, userId: string): Promise<TestClient> {
    const tenantId = await started.tenant(tenant)
    if (role === "owner") {
      const headers = { "x-goclaw-user-id": "system", "x-goclaw-tenant-id": tenantId }
      return createClient(started.url, { role, tenantId, userId: "system", key: started.token ?? "", headers }, sockets)
    }
    return createClient(started.url, { role, tenantId, userId, key: await started.key(tenantId, role, userId) }, sockets)
  }
  return {
    ...started,
    as(role: Role, tenant = "master", userId: string = role) {
      const slot = JSON.stringify([role, tenant, userId])
      const client = clients.get(slot) ?? makeClient(role, tenant, userId)
      clients.set(slot, client)
      // So that a test can write gateway.as("viewer").get(…) without an await in between.
      const early = <K extends "get" | "post" | "put" | "patch" | "delete" | "fetch" | "rpc">(name: K) =>
        (async (...args: unknown[]) => ((await client)[name] as (...args: unknown[]) => unknown)(...args)) as TestClient[K]
      const methods = { get: early("get"), post: early("post"), put: early("put"), patch: early("patch"), delete: early("delete"), fetch: early("fetch"), rpc: early("rpc") }
      return Object.assign(
        client.then((made) => made),
        methods,
      )
    },
    close: async (closing?: { keep?: boolean }) => {
      for (const socket of sockets) socket.close()
      await started.close(closing)
    },
  }
}
