import type { RpcDecl } from "@plugboard/sdk"
import { Type } from "typebox"
import { compileValidator } from "../validate.ts"

type Params = Record<string, unknown>
type Prepare = (params: Params) => Params

const anything = Type.Unknown()
const prepared = new WeakMap<object, Prepare>()

/**
 * Brings the names that clients use to the declared ones, then checks. The declared name wins where both are there. Changes what it is given. Source: wire contract, websocket 0 and 8.1.
 * `foreign`: the schema is somebody else's and holds in their process; here it is no more than names.
 */
export function parametersFor(decl: Pick<RpcDecl, "params" | "aliases">, foreign = false): Prepare {
  const known = prepared.get(decl)
  if (known) return known
  const prepare = makePrepare(decl, foreign)
  prepared.set(decl, prepare)
  return prepare
}

/** Other names that are taken for a declared one: those of the declaration, and the same words with underscores or capitals. */
export function spellingsOf({ params, aliases: declared }: Pick<RpcDecl, "params" | "aliases">): [other: string, name: string][] {
  const names = Object.keys((params as { properties?: object } | undefined)?.properties ?? {})
  const others: [string, string][] = Object.entries(declared ?? {})
  for (const name of names) for (const other of [snake(name), camel(name)]) if (!names.includes(other)) others.push([other, name])
  return others
}

function makePrepare(decl: Pick<RpcDecl, "params" | "aliases">, foreign: boolean): Prepare {
  const aliases = spellingsOf(decl)
  const validate = decl.params && compileValidator(foreign ? anything : decl.params, "body")
  return function prepareParameters(params) {
    for (const [alias, name] of aliases) {
      if (Object.hasOwn(params, alias) && !(Object.hasOwn(params, name) && params[name] !== null)) params[name] = params[alias]
    }
    return validate ? (validate(params, "params") as Params) : params
  }
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
