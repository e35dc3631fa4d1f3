import { deepEqual } from "node:assert/strict"
import type { Audience, Caller, EventTarget, Role } from "@plugboard/sdk"
import { Audiences } from "./audience.ts"
import type { Connection } from "./connection.ts"

const who = (name: string, tenantId: string, userId: string, role: Role) => ({ name, caller: { tenantId, userId, role } as Caller }) as unknown as Connection & { name: string }

describe("the audience of an event", () => {
  const sockets = [
    who("viewer ana", "acme", "ana", "viewer"),
    who("operator ben", "acme", "ben", "operator"),
    who("admin ana", "acme", "ana", "admin"),
    who("owner", "acme", "system", "owner"),
    who("stranger ana", "globex", "ana", "viewer"),
    who("other admin", "globex", "root", "admin"),
  ]
  const audiences = new Audiences()
  for (const socket of sockets) audiences.join(socket, socket.caller as Caller)
  const reached = (audience: Audience, tenantId: string | null = "acme", to: EventTarget = {}) => {
    const names: string[] = []
    audiences.reach({ name: "e", payload: {}, tenantId, to }, audience, (connection) => names.push((connection as unknown as { name: string }).name))
    return names.sort()
  }
  const everyone = sockets.map(({ name }) => name).sort()
  const ofAcme = ["admin ana", "operator ben", "owner", "viewer ana"]

  const cases: [audience: Audience, userId: string | undefined, reaches: string[]][] = [
    ["user", "ana", ["admin ana", "owner", "viewer ana"]],
    ["user", "ben", ["admin ana", "operator ben", "owner"]],
    ["user", "nobody", ["admin ana", "owner"]],
    ["user", undefined, ["admin ana", "owner"]],
    ["user+admins", "ana", ["admin ana", "owner", "viewer ana"]],
    ["operators", undefined, ["admin ana", "operator ben", "owner"]],
    ["admins", "ben", ["admin ana", "owner"]],
    ["owners", undefined, ["owner"]],
    ["tenant", undefined, ofAcme],
    ["internal", "ana", []],
    ["socket", "ana", []],
    ["all", undefined, everyone],
  ]
  for (const [audience, userId, reaches] of cases) {
    it(`"${audience}"${userId ? ` with user ${userId}` : ""} is ${reaches.join(", ") || "nobody"}`, () => deepEqual(reached(audience, "acme", { userId }), reaches))
  }

  const sets: [to: EventTarget, reaches: string[]][] = [
    [{ users: ["ben", "nobody"] }, ["admin ana", "operator ben", "owner"]],
    [{ userId: "ana", users: ["ben", "ana"] }, ofAcme],
    [{ users: [] }, ["admin ana", "owner"]],
    [{ users: "everyone" }, ofAcme],
    [{ users: "everyone", except: ["ben"] }, ["admin ana", "owner", "viewer ana"]],
    [{ userId: "ben", users: "everyone", except: ["ben", "ana"] }, ["admin ana", "operator ben", "owner"]],
    [{ users: ["ana", "ben"], except: ["ana"] }, ["admin ana", "operator ben", "owner"]],
  ]
  for (const [to, reaches] of sets) it(`"user+admins" with ${JSON.stringify(to)} is ${reaches.join(", ")}`, () => deepEqual(reached("user+admins", "acme", to), reaches))

  it("is nobody for an event of no tenant, unless it is for all", () => {
    const except: Audience[] = ["internal", "socket", "user", "user+admins", "operators", "admins", "owners", "tenant"]
    deepEqual(
      except.flatMap((audience) => reached(audience, null, { userId: "ana" })),
      [],
    )
    deepEqual(reached("all", null), everyone)
  })

  it("has nobody who has left", () => {
    const passing = new Audiences()
    for (const socket of sockets) passing.join(socket, socket.caller as Caller)
    for (const socket of sockets) passing.leave(socket, socket.caller as Caller)
    const left: unknown[] = []
    for (const audience of ["all", "tenant", "user", "admins"] as const)
      passing.reach({ name: "e", payload: {}, tenantId: "acme", to: { userId: "ana" } }, audience, (connection) => left.push(connection))
    deepEqual(left, [])
  })
})
