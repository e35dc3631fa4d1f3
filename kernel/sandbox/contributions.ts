import { Embedders, ProviderTypes, Tools } from "@plugboard/sdk"
import { Ajv, type ValidateFunction } from "ajv"
import { type TSchema, Type } from "typebox"
import { plainSchema } from "../packages/settings-check.ts"
import { oddPart } from "../plugins/schema-shape.ts"
import type { Facade } from "./contract.ts"

const Text = Type.String({ maxLength: 4_000 })

/** The data of what is contributed to points of ours, as far as its users rely on it. */
const shapes: Readonly<Record<string, { data: TSchema; methods: readonly string[] }>> = {
  [Tools.point]: {
    data: Type.Object({
      name: Type.String({ pattern: "^[A-Za-z0-9_-]{1,64}$" }),
      description: Text,
      parameters: Type.Object({}),
      risk: Type.Enum(["safe", "read", "write", "exec"]),
    }),
    methods: ["call"],
  },
  [ProviderTypes.point]: {
    data: Type.Object({ defaultBaseUrl: Text, defaultModel: Text, keyless: Type.Boolean(), environment: Type.Optional(Type.Array(Text)) }),
    methods: ["chat", "models", "verify"],
  },
  [Embedders.point]: { data: Type.Object({ dimensions: Type.Integer({ minimum: 1, maximum: 65_536 }), maxTokens: Type.Integer({ minimum: 1 }) }), methods: ["embed"] },
}
const compiled = new Map<string, ValidateFunction>()

/** What is contributed as the gateway lets others have it. Throws when they could not use it. */
export function checkedContribution(point: string, key: string, facade: Facade): Facade {
  const shape = shapes[point]
  if (!shape) return facade
  const fits = compiled.get(point) ?? new Ajv({ strict: false }).compile(shape.data)
  compiled.set(point, fits)
  const refuse = (reason: string) => new Error(`its contribution ${key} to ${point} cannot be used: ${reason}`)
  if (!fits(facade.data)) throw refuse(`${fits.errors?.[0]?.instancePath || "/"} ${fits.errors?.[0]?.message ?? ""}`)
  const missing = shape.methods.find((method) => !facade.methods.includes(method))
  if (missing) throw refuse(`it has no method ${missing}`)
  if (point === Tools.point) return { ...facade, data: toolData(key, facade.data, refuse) }
  // Keys that stand in the gateway's environment are for the plugins that came with it.
  return point === ProviderTypes.point ? { ...facade, data: { ...facade.data, environment: [] } } : facade
}

/** Users of tools check arguments against the parameters in their own process, so those are without what might take for ever; the plugin's process checks the rest. */
function toolData(key: string, data: Facade["data"], refuse: (reason: string) => Error): Facade["data"] {
  if (data.name !== key) throw refuse(`its name is ${String(data.name)}`)
  const odd = oddPart(data.parameters, { parts: 0 }, 24)
  if (odd) throw refuse(`its parameters have ${odd}`)
  return { ...data, parameters: plainSchema(data.parameters as TSchema) }
}
