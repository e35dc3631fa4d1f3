import { type ErrorDetail, errorKinds, type RouteDecl, type RpcDecl } from "@plugboard/sdk"
import { Ajv, type ValidateFunction } from "ajv"
import addFormats from "ajv-formats"

type Json = Record<string, unknown>
interface Operation {
  security?: object[]
  requestBody?: { content: Record<string, { schema: Json }> }
  responses: Record<string, { $ref?: string; content?: Record<string, { schema: Json }> }>
}
export interface OpenApi {
  paths: Record<string, Record<string, Operation>>
  components: { responses: Record<string, Operation["responses"][string]>; schemas: Record<string, Json> }
}
export interface Exchange {
  /** What was sent; undefined: nothing. */
  body: unknown
  status: number
  contentType: string
  text: string
}

/** Codes that a failure may have on either side. */
const codes = new Set<unknown>(Object.values(errorKinds).map(({ code }) => code))
/** What no document of OpenAPI 3.0 can say of values without a schema. */
const unsayable = new Set(["text", "depth"])

/** What the document says of answers, held against answers. */
export class Described {
  readonly #document: OpenApi
  readonly #ajv = new Ajv({ strict: false, formats: { binary: true } })
  readonly #checks = new Map<object, ValidateFunction>()

  constructor(document: OpenApi) {
    // OpenAPI 3.0 writes an exclusive bound as a flag beside the bound.
    this.#document = JSON.parse(JSON.stringify(document), (_, value) =>
      value?.exclusiveMinimum === true ? { ...value, minimum: undefined, exclusiveMinimum: value.minimum } : value,
    )
    ;(addFormats as unknown as (ajv: Ajv) => void)(this.#ajv)
    for (const [name, schema] of Object.entries(this.#document.components.schemas)) this.#ajv.addSchema(schema, `#/components/schemas/${name}`)
  }

  /** Each path with its operations by verb, in capitals. */
  get paths(): [path: string, operations: ReadonlyMap<string, Operation>][] {
    return Object.entries(this.#document.paths).map(([path, verbs]) => [path, new Map(Object.entries(verbs).map(([verb, operation]) => [verb.toUpperCase(), operation]))])
  }

  /** Undefined when the answer is one that the document has for the route. */
  misfit({ method, path }: Pick<RouteDecl, "method" | "path">, { body, status, contentType, text }: Exchange): string | undefined {
    const operation = this.#operation(method, [path].flat()[0] as string)
    if (!operation) return "the document does not have it"
    const response = operation.responses[status]
    if (!response) return `the status ${status} is not documented`
    const content = response.$ref ? this.#document.components.responses[response.$ref.split("/").at(-1) as string]?.content : response.content
    const media = contentType.split(";")[0] as string
    const described = content?.[media]
    if (!described) return `the content type ${media} is not documented for ${status}`
    if (media !== "application/json") return undefined
    const answer = JSON.parse(text)
    return this.#broken(described.schema, answer) ?? (body === undefined ? undefined : this.#takenWrongly(operation, body, status, answer))
  }

  #operation(method: string, path: string): Operation | undefined {
    const shape = path.replace(/[:*]\w+/g, "{}")
    const known = Object.keys(this.#document.paths).find((other) => other.replace(/\{\w+\}/g, "{}") === shape)
    return known === undefined ? undefined : this.#document.paths[known]?.[method.toLowerCase()]
  }

  /** Nothing is taken that the document refuses, and the rules of the gateway are all in it. */
  #takenWrongly({ requestBody }: Operation, body: unknown, status: number, answer: { error?: unknown; details?: ErrorDetail[] }): string | undefined {
    const schema = requestBody?.content["application/json"]?.schema
    if (!schema) return undefined
    const wrong = this.#broken(schema, body)
    if (status < 300 && wrong) return `it was taken, and the document says of the body that ${wrong}`
    // In English; else it is the path or the query that does not fit.
    const ofBody = String(answer.error).startsWith("The body does not fit")
    if (status === 400 && !wrong && ofBody && answer.details?.some(({ rule }) => !unsayable.has(rule)))
      return `it was refused, and fits the document: ${JSON.stringify(answer.details)}`
    return undefined
  }

  /** What does not fit; undefined when all of it does. */
  #broken(schema: object, value: unknown): string | undefined {
    const check = this.#checks.get(schema) ?? this.#ajv.compile(schema)
    this.#checks.set(schema, check)
    return check(value) ? undefined : this.#ajv.errorsText(check.errors)
  }

  /** Undefined when a response on the socket is one that its method declares. */
  misfitOf({ result }: Pick<RpcDecl, "result">, { payload, error }: { payload?: unknown; error?: { code: string; message: string } }): string | undefined {
    if (error) return codes.has(error.code) && error.message !== "" ? undefined : `${JSON.stringify(error)} is no error of the protocol`
    return this.#broken(result, payload)
  }
}
