import { equal, match } from "node:assert/strict"
import { Type } from "typebox"
import { Described, type OpenApi } from "./described.ts"

const error = { type: "object", required: ["error", "code"], properties: { error: { type: "string" }, code: { type: "string" } } }
const document: OpenApi = {
  paths: {
    "/v1/things/{id}": {
      put: {
        requestBody: {
          content: { "application/json": { schema: { type: "object", properties: { size: { type: "integer", minimum: 0, exclusiveMinimum: true, nullable: true } as never } } } },
        },
        responses: {
          200: { content: { "application/json": { schema: { type: "object", required: ["id"], properties: { id: { type: "string" } } } } } },
          400: { $ref: "#/components/responses/400" },
        },
      },
    },
  },
  components: { responses: { 400: { content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } } } }, schemas: { Error: error } },
}
const described = new Described(document)
const misfit = (body: unknown, status: number, answer: unknown, contentType = "application/json; charset=utf-8", path = "/v1/things/:thing") =>
  described.misfit({ method: "PUT", path }, { body, status, contentType, text: JSON.stringify(answer) })
const refused = (rule: string) => ({ error: "The body does not fit. Correct it.", code: "INVALID_REQUEST", details: [{ path: "/size", rule, message: "is wrong" }] })

describe("an answer held against the document", () => {
  it("fits, under whatever name its path has the parameter", () => {
    equal(misfit({ size: 1 }, 200, { id: "a" }), undefined)
    equal(misfit({ size: null }, 200, { id: "a" }), undefined)
    equal(misfit({ size: 0 }, 400, refused("exclusiveMinimum")), undefined)
    equal(misfit({ size: 1, any: "\0" }, 400, refused("text")), undefined)
    equal(misfit({ size: 1 }, 400, { ...refused("maxLength"), error: "The path does not fit. Correct it." }), undefined)
  })

  it("is noticed where the document has no such path, status, content type or shape", () => {
    match(misfit({}, 200, {}, "application/json", "/v1/things/:id/parts") ?? "", /does not have it/)
    match(misfit({}, 418, {}) ?? "", /status 418/)
    match(misfit({}, 200, {}, "text/html") ?? "", /text\/html/)
    match(misfit({}, 200, {}) ?? "", /'id'/)
    match(misfit({}, 400, { error: { message: "x" } }) ?? "", /code|error/)
  })

  it("is noticed where the gateway takes less or more than the document says", () => {
    match(misfit({ size: 0 }, 200, { id: "a" }) ?? "", /was taken/)
    match(misfit({ size: 1 }, 400, refused("maximum")) ?? "", /was refused, and fits/)
  })

  it("is noticed on the socket", () => {
    const decl = { result: Type.Object({ ok: Type.Boolean() }) }
    equal(described.misfitOf(decl, { payload: { ok: true } }), undefined)
    match(described.misfitOf(decl, { payload: {} }) ?? "", /'ok'/)
    equal(described.misfitOf(decl, { error: { code: "NOT_FOUND", message: "There is none." } }), undefined)
    match(described.misfitOf(decl, { error: { code: "OOPS", message: "x" } }) ?? "", /OOPS/)
  })
})
