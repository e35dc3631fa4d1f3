import { deepEqual, equal } from "node:assert/strict"
import { type Answer, type RpcClient, type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { methods } from "./methods.ts"
import { routes } from "./routes.ts"
import { misfits } from "./shapes.ts"
import { makeWorld } from "./world.ts"

describe("the contract's tables", () => {
  let gateway: TestGateway
  let world: ReadonlyMap<string, string>
  let admin: TestClient
  let owner: TestClient
  let sockets: Record<"admin" | "owner" | "cli", RpcClient>
  before(async () => {
    gateway = await testGateway()
    admin = await gateway.as("admin")
    owner = await gateway.as("owner")
    world = await makeWorld(admin, owner)
    // The command line's client is known by its user, and by what it leaves out. Source: WS 8.
    const cli = { user_id: "cli", locale: undefined }
    sockets = { admin: await admin.rpc(), owner: await owner.rpc(), cli: await admin.rpc(cli) }
  })
  after(() => gateway.close())

  for (const row of routes) {
    it(`${row.at}: ${row.call}${row.with ? ` ${JSON.stringify(row.with)}` : ""}`, async () => {
      const [verb = "", path = ""] = row.call.split(" ")
      const { get, post, put, patch, delete: remove } = row.as === "owner" ? owner : admin
      const verbs: Record<string, (to: string, body?: object) => Promise<Answer>> = { GET: (to) => get(to), DELETE: (to) => remove(to), POST: post, PUT: put, PATCH: patch }
      const ask = async (body?: object) => (verbs[verb] as (typeof verbs)[string])(filled(path, encodeURIComponent), body && filledIn(body))
      if (row.gives !== undefined) {
        const answer = await ask(row.with)
        equal(answer.status, row.status ?? 200, JSON.stringify(answer.body))
        deepEqual(misfits(row.gives, answer.body), [])
      }
      for (const [input, code, status] of row.refuses ?? []) {
        const answer = await ask(input)
        deepEqual([answer.status, answer.body.code, typeof answer.body.error], [status, code, "string"], JSON.stringify(input))
      }
    })
  }

  for (const row of methods) {
    it(`${row.at}: ${row.as === "cli" ? "the command line's " : ""}${row.call} ${JSON.stringify(row.with ?? {})}`, async () => {
      const ask = (params: object) => sockets[row.as ?? "admin"].request(row.call, filledIn(params))
      if (row.gives !== undefined) {
        const answer = await ask(row.with ?? {})
        equal(answer.error, undefined, JSON.stringify(answer.error))
        deepEqual(misfits(row.gives, answer.payload), [])
      }
      for (const [input, code] of row.refuses ?? []) {
        const { ok, error } = await ask(input)
        deepEqual([ok, error?.code, typeof error?.message], [false, code, "string"], JSON.stringify(input))
      }
    })
  }

  function filledIn(input: object): Record<string, unknown> {
    return JSON.parse(filled(JSON.stringify(input), (text) => text))
  }

  function filled(text: string, as: (text: string) => string): string {
    return text.replace(/\{([a-z-]+)\}/g, (_, name: string) => {
      const known = world.get(name)
      if (known === undefined) throw new Error(`${name} is not in the world`)
      return as(known)
    })
  }
})
