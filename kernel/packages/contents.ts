import { hookDefinitions, type Manifest, Plugins } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import { checkConfig } from "../config.ts"
import { checkManifest } from "../plugins/manifest-check.ts"
import { PackageError } from "./package-error.ts"
import { inspectTarball } from "./tarball.ts"

/** Of `plugboard.json`. It changes when old gateways could no longer read new packages. */
export const contentsFormat = 1
/** Bytes of `plugboard.json`. */
const mostBytes = 1 << 20
/** Levels of its JSON. */
const mostLevels = 64

const Strict = { additionalProperties: false } as const
const Text = Type.String({ maxLength: 500 })
const Name = Type.String({ minLength: 1, maxLength: 200 })
const Names = Type.Array(Name, { maxItems: 200 })
/** JSON Schema. Compiled in the plugin's own process: a pattern in it can take for ever. */
const Schema = Type.Object({}, { additionalProperties: true })
const Service = Type.Object({ service: Name, version: Name }, Strict)
const Point = Type.Object({ point: Name, version: Name }, Strict)
/** Keys are names of things that are shown and logged. */
const recordOf = <S extends Parameters<typeof Type.Optional>[0]>(value: S) =>
  Type.Record(Type.String({ pattern: "^[^\\s\\u0000-\\u001f]{1,200}$" }), value, { maxProperties: 500, additionalProperties: false })

const access = {
  role: Type.Optional(Name),
  auth: Type.Optional(Name),
  orScope: Type.Optional(Name),
}
const Limits = Type.Object({ bodyBytes: Type.Optional(Type.Integer()), timeoutMs: Type.Optional(Type.Integer()), rate: Type.Optional(Type.Boolean()) }, Strict)
const Route = Type.Object(
  {
    ...access,
    method: Name,
    path: Type.Union([Name, Type.Array(Name, { minItems: 1, maxItems: 20 })]),
    summary: Text,
    tags: Type.Optional(Names),
    params: Type.Optional(Schema),
    query: Type.Optional(Schema),
    body: Type.Optional(Schema),
    reply: Type.Union([Schema, Type.Array(Schema, { maxItems: 20 })]),
    status: Type.Optional(Type.Integer({ minimum: 200, maximum: 299 })),
    limits: Type.Optional(Limits),
    errors: Type.Optional(Type.Enum(["openai", "anthropic"])),
    alsoAs: Type.Optional(Type.Literal("payload")),
  },
  Strict,
)
const Method = Type.Object(
  {
    ...access,
    summary: Text,
    params: Type.Optional(Schema),
    result: Schema,
    order: Type.Optional(Name),
    aliases: Type.Optional(recordOf(Name)),
    limits: Type.Optional(Limits),
  },
  Strict,
)
const Tap = Type.Object({ phase: Name, failure: Type.Optional(Type.Enum(["open", "closed"])), timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 3_600_000 })) }, Strict)
const EventType = Type.Object({ payload: Schema, to: Name }, Strict)
const ErrorType = Type.Object({ kind: Name, params: Type.Optional(Schema), openai: Type.Optional(Schema) }, Strict)
const Job = Type.Object(
  {
    data: Schema,
    cron: Type.Optional(Name),
    timeoutSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400 })),
    retries: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
  },
  Strict,
)
const Capabilities = Type.Object(
  {
    db: Type.Optional(Type.Boolean()),
    net: Type.Optional(Type.Array(Type.String({ pattern: "^(\\*|(\\*\\.)?[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*(:\\d+)?|\\[[0-9a-fA-F:]+\\])$" }), { maxItems: 200 })),
    secrets: Type.Optional(Names),
    files: Type.Optional(Type.Boolean()),
    system: Type.Optional(Type.Boolean()),
  },
  Strict,
)

/** A manifest as other people's packages may have it: fewer members than bundled ones, and none that is not known. */
const ForeignManifest = Type.Object(
  {
    id: Name,
    version: Name,
    sdk: Name,
    summary: Type.Optional(Text),
    requires: Type.Optional(Type.Array(Service, { maxItems: 100 })),
    after: Type.Optional(Names),
    offers: Type.Optional(Type.Array(Service, { maxItems: 100 })),
    opens: Type.Optional(Type.Array(Point, { maxItems: 100 })),
    contributes: Type.Optional(Type.Array(Point, { maxItems: 100 })),
    capabilities: Type.Optional(Capabilities),
    config: Type.Optional(Schema),
    routes: Type.Optional(recordOf(Route)),
    rpc: Type.Optional(recordOf(Method)),
    hooks: Type.Optional(Type.Object(Object.fromEntries(Object.keys(hookDefinitions).map((hook) => [hook, Type.Optional(Tap)])), Strict)),
    fires: Type.Optional(Names),
    events: Type.Optional(recordOf(EventType)),
    listens: Type.Optional(Names),
    jobs: Type.Optional(recordOf(Job)),
    errors: Type.Optional(recordOf(ErrorType)),
    globalTables: Type.Optional(Names),
  },
  Strict,
)

/** `plugboard.json`: what a gateway knows of a package without running any of it. */
const Contents = Type.Object(
  {
    format: Type.Literal(contentsFormat),
    sdk: Type.String({ maxLength: 100, description: "Version of the SDK that it was packed with." }),
    entry: Type.String({ pattern: "^(?!.*(^|/)\\.\\.?(/|$))[^/\\\\:][^\\\\:]*\\.(js|mjs)$", maxLength: 500, description: "Module with the plugin, from the package's folder." }),
    manifest: ForeignManifest,
  },
  Strict,
)
export type Contents = Omit<Static<typeof Contents>, "manifest"> & { manifest: Manifest }

/** Looks at everything in a package that can be judged without running it. Rejects with a PackageError. */
export async function readContents(tarball: Uint8Array): Promise<Contents> {
  const { text, paths } = await inspectTarball(tarball, contentsFile, mostBytes)
  if (text === undefined) throw new PackageError(`it has no ${contentsFile}, so it is not a packed plugin`, "Make one from its folder with: plugboard plugins pack FOLDER")
  const contents = checkContents(parse(text))
  if (!paths.has(contents.entry)) throw new PackageError(`its entry ${contents.entry} is not in it`, again)
  return contents
}

export const contentsFile = "plugboard.json"
const again = "Pack it again with: plugboard plugins pack FOLDER"

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new PackageError(`its ${contentsFile} is not JSON`, again, error)
  }
}

/** The value as contents, or a PackageError that names the member. Also for what a package's author is about to pack. */
export function checkContents(value: unknown): Contents {
  const { format } = (typeof value === "object" && value !== null ? value : {}) as { format?: unknown }
  if (format !== contentsFormat) {
    throw new PackageError(
      `its ${contentsFile} has the format ${JSON.stringify(format) ?? "none"}, and this gateway reads ${contentsFormat}`,
      typeof format === "number" && format > contentsFormat ? "Install a newer gateway, or an older version of the plugin." : again,
    )
  }
  if (!isWithin(value, mostLevels))
    throw new PackageError(`its ${contentsFile} has more than ${mostLevels} levels`, "Make the schemas of its manifest flatter, then pack it again.")
  const wrong = checkConfig(Contents, value, contentsFile)
  if (wrong) throw new PackageError(wrong, "Correct the manifest, then pack it again with: plugboard plugins pack FOLDER")
  const contents = value as Contents
  const misfit = checkManifest(contents.manifest, "package")
  if (misfit) throw new PackageError(misfit.reason, misfit.remedy)
  const { requires } = contents.manifest
  // With an owner as its caller it could agree to its own wishes.
  if (requires?.some(({ service }) => service === Plugins.service))
    throw new PackageError(`it needs the service ${Plugins.service}, which manages plugins`, "Leave that to the gateway's administrators.")
  return contents
}

function isWithin(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return true
  return levels > 0 && Object.values(value).every((member) => isWithin(member, levels - 1))
}
