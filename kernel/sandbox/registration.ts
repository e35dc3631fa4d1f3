import type { Manifest } from "@plugboard/sdk"
import { Ajv } from "ajv"
import { Type } from "typebox"
import type { Registration } from "./contract.ts"

const Name = Type.String({ minLength: 1, maxLength: 200 })
const Names = Type.Array(Name, { maxItems: 1_000 })
const Facade = Type.Object({
  data: Type.Object({}),
  methods: Type.Array(Type.String({ pattern: "^(?!(then|constructor|toJSON|__.*)$)[A-Za-z_$][\\w$]{0,99}$" }), { maxItems: 200 }),
})
const Shape = Type.Object({
  handlers: Type.Object({ routes: Names, rpc: Names, hooks: Names, jobs: Names }),
  life: Type.Array(Type.Enum(["start", "drain", "stop"]), { maxItems: 3 }),
  offers: Type.Array(Type.Object({ service: Name, version: Name, facade: Facade }), { maxItems: 200 }),
  contributions: Type.Array(Type.Object({ point: Name, version: Name, key: Name, facade: Facade }), { maxItems: 500 }),
  events: Names,
  opens: Names,
})
const fits = new Ajv({ strict: false }).compile(Shape)
/** Characters of the data beside the methods, of all that one plugin offers and contributes. The gateway keeps them. */
const mostData = 1 << 20

/** Throws when what a process says of its plugin has another shape than its runtime gives it, or is not what the manifest declares. */
export function checkRegistration(manifest: Manifest, registration: Registration): void {
  if (!fits(registration)) {
    const [error] = fits.errors ?? []
    throw new Error(`what it registers cannot be used: ${error?.instancePath.slice(0, 200)} ${error?.message ?? ""}`)
  }
  const { handlers, offers, contributions } = registration
  if (JSON.stringify([offers, contributions]).length > mostData) throw new Error(`what it offers and contributes has more than ${mostData} characters of data`)
  for (const kind of ["routes", "rpc", "hooks", "jobs"] as const) {
    const declared = Object.keys(manifest[kind] ?? {})
    const missing = declared.find((name) => !handlers[kind].includes(name))
    if (missing) throw new Error(`its handler ${kind}.${missing} is missing`)
    const extra = handlers[kind].find((name) => !declared.includes(name))
    if (extra) throw new Error(`its handler ${kind}.${extra} is not in its manifest`)
  }
}
