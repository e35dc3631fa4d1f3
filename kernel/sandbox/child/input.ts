import { failureOf, type Manifest, type MultipartBody, type RouteDecl, type Tool, type ToolResult } from "@plugboard/sdk"
import { textsChecker } from "../../http/query.ts"
import { parametersFor } from "../../rpc/parameters.ts"
import { compileValidator } from "../../validate.ts"

interface Input {
  params: unknown
  query: unknown
  body: unknown
}

type Check = (input: Input) => Input

const checks = new WeakMap<RouteDecl, Check>()

/** What a request brings, against the plugin's own schemas. Here and not in the gateway: a pattern among them can take for ever. */
export function checkedRequest<R extends Input>({ routes }: Manifest, name: string, request: R): R {
  const decl = routes?.[name] as RouteDecl
  const check = checks.get(decl) ?? makeCheck(decl)
  checks.set(decl, check)
  return { ...request, ...check(request) }
}

export function checkedParams({ rpc }: Manifest, name: string, params: unknown): unknown {
  const decl = rpc?.[name]
  return decl ? parametersFor(decl)(params as Record<string, unknown>) : params
}

/** Throws when the settings do not fit; fills in what the gateway has left to this. */
export function checkedConfig({ config }: Manifest, settings: object): object {
  return config ? (compileValidator(config, "body")(settings, "config") as object) : settings
}

/** A tool's answer to arguments that do not fit its own schema; who called it has looked at the plain part of that alone. */
export function refusedArguments({ parameters }: Tool, args: unknown): ToolResult | undefined {
  try {
    compileValidator(parameters, "body")(args, "arguments")
    return undefined
  } catch (error) {
    return { content: `The arguments do not fit: ${String(failureOf(error)?.params.reason ?? (error as Error).message)}`, isError: true }
  }
}

function makeCheck(decl: RouteDecl): Check {
  const params = decl.params && compileValidator(decl.params, "query")
  const query = decl.query && textsChecker(decl.query, "query")
  const body = bodyCheck(decl)
  return (input) => ({
    params: params ? params({ ...(input.params as object) }, "path") : input.params,
    query: query ? query(input.query as never) : input.query,
    body: body ? body(input.body) : input.body,
  })
}

function bodyCheck({ body }: RouteDecl): ((value: unknown) => unknown) | undefined {
  if (body === undefined) return undefined
  if (!("bodyKind" in body)) {
    const check = compileValidator(body, "body")
    return (value) => check(value, "body")
  }
  if (body.bodyKind === "raw") return undefined
  const fields = textsChecker((body as MultipartBody).fields, "fields")
  return (value) => {
    const form = value as { fields: never }
    return { ...form, fields: fields(form.fields) }
  }
}
