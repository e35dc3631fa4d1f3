import type { RpcDecl } from "@plugboard/sdk"
import type { TSchema } from "typebox"
import { compileValidator } from "../validate.ts"

type Params = Record<string, unknown>

const prepared = new WeakMap<RpcDecl, (params: Params) => unknown>()

/** Brings the names that clients use to the declared ones, then checks. The declared name wins where both are there. Source: wire contract, websocket 0 and 8.1. */
export function parametersFor(decl: RpcDecl): (params: Params) => unknown {
  let prepare = prepared.get(decl)
  if (!prepare) prepared.set(decl, (prepare = makeParameters(decl)))
  return prepare
}

function makeParameters(decl: RpcDecl): (params: Params) => unknown {
  const schema: TSchema | undefined = decl.params
  const names = Object.keys((schema as { properties?: object } | undefined)?.properties ?? {})
  const aliases = new Map<string, string>()
  for (const name of names) for (const other of [snake(name), camel(name)]) if (other !== name && !names.includes(other)) aliases.set(other, name)
  for (const [alias, name] of Object.entries(decl.aliases ?? {})) aliases.set(alias, name)
  const validate = schema && compileValidator(schema, "body")
  return function prepareParameters(params) {
    for (const [alias, name] of aliases) {
      if (params[alias] !== undefined && params[name] === undefined) params[name] = params[alias]
    }
    return validate ? validate(params, "params") : params
  }
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
