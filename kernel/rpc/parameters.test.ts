import { deepEqual, throws } from "node:assert/strict"
import { isError } from "@plugboard/sdk"
import { Type } from "typebox"
import { parametersFor } from "./parameters.ts"

describe("the parameters of a method", () => {
  const prepare = parametersFor({
    params: Type.Object({ agentId: Type.String({ default: "default" }), team_id: Type.Optional(Type.String()), message: Type.Optional(Type.String()) }),
    aliases: { text: "message", agent_key: "agentId" },
  })
  const seen = (given: object) => {
    const { agentId, team_id, message } = prepare({ ...given }) as Record<string, unknown>
    return { agentId, team_id, message }
  }

  it("have their defaults", () => deepEqual(seen({}), { agentId: "default", team_id: undefined, message: undefined }))
  it("may be spelled with underscores or capitals", () => deepEqual(seen({ agent_id: "a", teamId: "t" }), { agentId: "a", team_id: "t", message: undefined }))
  it("have the other names that are declared", () => deepEqual(seen({ agent_key: "a", text: "hi" }), { agentId: "a", team_id: undefined, message: "hi" }))
  it("keep the declared name's value where both are given", () => deepEqual(seen({ agentId: "a", agent_id: "b", agent_key: "c" }).agentId, "a"))
  it("take null under the declared name for absent", () => deepEqual(seen({ agentId: null, agent_id: "b" }).agentId, "b"))
  it("are checked under the name that was meant", () =>
    throws(
      () => prepare({ agent_id: 7 }),
      (error: unknown) => isError(error, "kernel.invalid_request") && error.failure.details?.[0]?.path === "/agentId",
    ))
  it("take nothing from the prototype", () => deepEqual(seen(JSON.parse('{"__proto__":{"agent_id":"x"}}')).agentId, "default"))
})
