import { existsSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { Ajv } from "ajv"
import addFormats from "ajv-formats"
import { closest } from "fastest-levenshtein"
import { type Static, type TSchema, Type } from "typebox"
import { type KeySource, keyFile } from "./key-ring.ts"

const Strict = { additionalProperties: false } as const
const Section = <P extends Record<string, TSchema>>(members: P) => Type.Optional(Type.Partial(Type.Object(members, Strict), { ...Strict, default: {} }))

/** Sections of the configuration that may also be changed while the gateway runs, for all its nodes; what the file names of them stays. */
export const Settings = Type.Object(
  {
    log: Section({ level: Type.Enum(["debug", "info", "warn", "error", "silent"], { default: "info" }) }),
    gateway: Section({
      rate_limit_rpm: Type.Integer({ default: 0, minimum: 0, description: "Chats per minute and user, with a burst of 5; 0 is no limit." }),
      owner_ids: Type.Array(Type.String(), { default: [], description: "User ids that are owners with the gateway token; none: `system`." }),
      allowed_origins: Type.Array(Type.String(), { default: [], description: "Browser origins besides the gateway's own; `*` is any." }),
      drain_seconds: Type.Integer({ default: 30, minimum: 0, maximum: 600, description: "How long a shutdown waits for runs." }),
    }),
    network: Section({
      allowPrivateHosts: Type.Array(Type.String(), { default: [], description: "Hosts (`name` or `name:port`) with private addresses that plugins may call." }),
      connectTimeoutMs: Type.Integer({ default: 10_000, minimum: 100, maximum: 120_000, description: "How long a connection to another server may take to be made." }),
    }),
    sandbox: Section({
      memoryMiB: Type.Integer({ default: 256, minimum: 64, maximum: 8_192, description: "Memory of the process of one plugin that is not bundled." }),
    }),
  },
  Strict,
)
export type Settings = Static<typeof Settings>

/** `plugboard.config.json`. The environment wins over it. */
export const ConfigFile = Type.Object(
  {
    host: Type.Optional(Type.String({ description: "Address to listen on." })),
    port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535, description: "Port to listen on; 0 takes a free one." })),
    dataDir: Type.Optional(Type.String({ description: "Folder of the embedded database, keys and files." })),
    databaseUrl: Type.Optional(Type.String({ description: "PostgreSQL connection URI; without it the embedded database is used." })),
    strict: Type.Optional(Type.Boolean({ description: "True: refuse to start when a plugin cannot be activated." })),
    ...Settings.properties,
    database: Type.Optional(
      Type.Object(
        {
          poolSize: Type.Optional(Type.Integer({ minimum: 2, maximum: 200, description: "Connections to PostgreSQL." })),
          statementTimeoutMs: Type.Optional(Type.Integer({ minimum: 100, description: "Longest time of one statement, on either database." })),
        },
        Strict,
      ),
    ),
    plugins: Type.Optional(Type.Record(Type.String(), Type.Object({ enabled: Type.Optional(Type.Boolean()) }, { additionalProperties: true }))),
  },
  Strict,
)

export interface GatewayConfig {
  host: string
  port: number
  /** Gateway token; undefined: authentication is off, on loopback only. */
  token: string | undefined
  dataDir: string
  databaseUrl: string | undefined
  encryption: KeySource
  strict: boolean
  logLevel: string
  rateLimitRpm: number
  ownerIds: readonly string[]
  allowedOrigins: readonly string[]
  drainSeconds: number
  allowPrivateHosts: readonly string[]
  connectTimeoutMs: number
  poolSize: number
  statementTimeoutMs: number
  /** MiB that the process of one plugin may hold. */
  sandboxMemoryMiB: number
  /** What file and environment say of the settings; nobody can change it while the gateway runs. */
  named: Settings
  /** Path of the file, which need not be there. */
  file: string
  /** Sections of the file, by plugin id; checked against each plugin's own schema at activation. */
  plugins: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  env: Readonly<Record<string, string | undefined>>
}

/** What is wrong with the configuration, and how to mend it. The command prints the message and exits with 2. */
export class ConfigError extends Error {}

const defaults = { host: "127.0.0.1", port: 18_790, dataDir: "./data", file: "./plugboard.config.json" }

/** Reads the file and the environment. Fails with a ConfigError that names the key, the rule and a suggestion. */
export function loadConfig(env: Readonly<Record<string, string | undefined>>, overrides: Static<typeof ConfigFile> = {}): GatewayConfig {
  const path = env.PLUGBOARD_CONFIG ?? defaults.file
  const file = { ...readFile(path, env.PLUGBOARD_CONFIG !== undefined), ...overrides }
  const { host, port, token } = addressOf(env, file)
  if (!token && !isLoopback(host)) {
    throw new ConfigError(`Refusing to listen on ${host} without authentication. Set PLUGBOARD_TOKEN to a long secret, or PLUGBOARD_HOST to 127.0.0.1.`)
  }
  const dataDir = resolve(env.PLUGBOARD_DATA_DIR ?? file.dataDir ?? defaults.dataDir)
  const named = namedSettings(env, file)
  return {
    host,
    port,
    token,
    dataDir,
    databaseUrl: pick(env, "DATABASE_URL", "GOCLAW_POSTGRES_DSN") ?? file.databaseUrl,
    encryption: keySource(env, dataDir),
    strict: file.strict ?? false,
    ...fieldsOf(named),
    poolSize: file.database?.poolSize ?? 10,
    statementTimeoutMs: file.database?.statementTimeoutMs ?? 15_000,
    named,
    file: path,
    plugins: file.plugins ?? {},
    env,
  }
}

function namedSettings(env: Readonly<Record<string, string | undefined>>, file: Settings): Settings {
  const level = env.PLUGBOARD_LOG_LEVEL as NonNullable<Settings["log"]>["level"]
  const named = { ...file, ...(level && { log: { level } }) }
  return Object.fromEntries(Object.keys(Settings.properties).flatMap((name) => (name in named ? [[name, named[name as keyof Settings]]] : [])))
}

type Whole = { [S in keyof Settings]-?: Required<NonNullable<Settings[S]>> }

/** Every member, as given or else as it comes. */
export function wholeSettings(settings: Settings): Whole {
  const sections = Object.entries(Settings.properties).map(([section, { properties }]) => {
    const given = settings[section as keyof Settings] as Record<string, unknown> | undefined
    return [section, Object.fromEntries(Object.entries(properties).map(([name, member]) => [name, given?.[name] ?? (member as { default?: unknown }).default]))]
  })
  return Object.fromEntries(sections) as Whole
}

/** Settings by the names that the gateway knows them by. */
export function fieldsOf(settings: Settings) {
  const { log, gateway, network, sandbox } = wholeSettings(settings)
  return {
    logLevel: log.level as string,
    rateLimitRpm: gateway.rate_limit_rpm,
    ownerIds: gateway.owner_ids,
    allowedOrigins: gateway.allowed_origins,
    drainSeconds: gateway.drain_seconds,
    allowPrivateHosts: network.allowPrivateHosts,
    connectTimeoutMs: network.connectTimeoutMs,
    sandboxMemoryMiB: sandbox.memoryMiB,
  }
}

/** Where a gateway of this configuration listens, and what opens it. Unlike `loadConfig` it makes no folder and no key. */
export function loadAddress(env: Readonly<Record<string, string | undefined>>): Pick<GatewayConfig, "host" | "port" | "token"> {
  return addressOf(env, readFile(env.PLUGBOARD_CONFIG ?? defaults.file, env.PLUGBOARD_CONFIG !== undefined))
}

function addressOf(env: Readonly<Record<string, string | undefined>>, file: Static<typeof ConfigFile>): Pick<GatewayConfig, "host" | "port" | "token"> {
  return {
    host: pick(env, "PLUGBOARD_HOST", "GOCLAW_HOST") ?? file.host ?? defaults.host,
    port: portOf(pick(env, "PLUGBOARD_PORT", "GOCLAW_PORT")) ?? file.port ?? defaults.port,
    token: pick(env, "PLUGBOARD_TOKEN", "GOCLAW_GATEWAY_TOKEN"),
  }
}

function pick(env: Readonly<Record<string, string | undefined>>, ...names: string[]): string | undefined {
  for (const name of names) if (env[name]) return env[name]
  return undefined
}

function portOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new ConfigError(`PLUGBOARD_PORT is "${text}"; give a number from 0 to 65535.`)
  return port
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host)
}

function readFile(path: string, demanded: boolean): Static<typeof ConfigFile> {
  if (!existsSync(path)) {
    if (demanded) throw new ConfigError(`PLUGBOARD_CONFIG names ${path}, which does not exist.`)
    return {}
  }
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path, "utf8"))
  } catch (error) {
    throw new ConfigError(`${path} is not JSON: ${(error as Error).message}`)
  }
  // A copy: what the file leaves out is not what it says.
  const wrong = checkConfig(ConfigFile, structuredClone(value), path)
  if (wrong) throw new ConfigError(wrong)
  return value as Static<typeof ConfigFile>
}

/** Null when `value` fits; else one line that names the key, the rule and, for an unknown key, the one that was probably meant. Fills in defaults. */
export function checkConfig(schema: TSchema, value: unknown, where: string): string | null {
  // A schema that is none does not compile; to hold it against the schema of schemas as well costs a start 0.1 s.
  const ajv = new Ajv({ useDefaults: true, allErrors: false, strict: false, validateSchema: false })
  const addTo = addFormats as unknown as (ajv: Ajv) => void
  addTo(ajv)
  const validate = ajv.compile(schema)
  if (validate(value)) return null
  const [error] = validate.errors ?? []
  if (!error) return `${where} does not fit its schema`
  const at = error.instancePath.slice(1).replaceAll("/", ".")
  if (error.keyword === "additionalProperties") {
    const key = (error.params as { additionalProperty: string }).additionalProperty
    const known = Object.keys((error.parentSchema as { properties?: object } | undefined)?.properties ?? propertiesAt(schema, error.instancePath))
    const full = at ? `${at}.${key}` : key
    return `${where}: ${full} is unknown${known.length ? `; did you mean ${closest(key, known)}?` : "."}`
  }
  return `${where}: ${at || "the document"} ${error.message ?? "does not fit"}`
}

function propertiesAt(schema: TSchema, pointer: string): object {
  let at: unknown = schema
  for (const part of pointer.split("/").slice(1)) at = (at as { properties?: Record<string, unknown> }).properties?.[part] ?? {}
  return (at as { properties?: object }).properties ?? {}
}

/** The newest from the environment; else a file in the data folder. Older ones may stand in the environment either way. */
function keySource(env: Readonly<Record<string, string | undefined>>, dataDir: string): KeySource {
  const given = pick(env, "PLUGBOARD_ENCRYPTION_KEY", "GOCLAW_ENCRYPTION_KEY")
  const old = (env.PLUGBOARD_ENCRYPTION_KEYS_OLD ?? "").split(/[\s,]+/).filter(Boolean)
  const others = old.map((text) => keyOf("PLUGBOARD_ENCRYPTION_KEYS_OLD", text))
  if (!given) return keyFile(join(dataDir, "encryption.key"), others)
  const keys = [keyOf("PLUGBOARD_ENCRYPTION_KEY", given), ...others]
  return { file: undefined, read: () => keys }
}

function keyOf(variable: string, text: string): Buffer {
  const key = Buffer.from(text, /^[0-9a-f]{64}$/i.test(text) ? "hex" : "base64")
  if (key.length !== 32) throw new ConfigError(`${variable} must be 32 bytes as 64 hex digits or as base64. Make one with: openssl rand -hex 32`)
  return key
}
