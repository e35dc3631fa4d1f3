import { existsSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { Ajv } from "ajv"
import addFormats from "ajv-formats"
import { closest } from "fastest-levenshtein"
import { type Static, type TSchema, Type } from "typebox"
import { type KeySource, keyFile } from "./key-ring.ts"

const Strict = { additionalProperties: false } as const

/** `plugboard.config.json`. The environment wins over it. */
export const ConfigFile = Type.Object(
  {
    host: Type.Optional(Type.String({ description: "Address to listen on." })),
    port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535, description: "Port to listen on; 0 takes a free one." })),
    dataDir: Type.Optional(Type.String({ description: "Folder of the embedded database, keys and files." })),
    databaseUrl: Type.Optional(Type.String({ description: "PostgreSQL connection URI; without it the embedded database is used." })),
    strict: Type.Optional(Type.Boolean({ description: "True: refuse to start when a plugin cannot be activated." })),
    log: Type.Optional(Type.Object({ level: Type.Optional(Type.Enum(["debug", "info", "warn", "error", "silent"])) }, Strict)),
    gateway: Type.Optional(
      Type.Object(
        {
          rate_limit_rpm: Type.Optional(Type.Integer({ minimum: 0, description: "Chats per minute and user, with a burst of 5; 0 is no limit." })),
          owner_ids: Type.Optional(Type.Array(Type.String(), { description: "User ids that are owners with the gateway token; none: `system`." })),
          allowed_origins: Type.Optional(Type.Array(Type.String(), { description: "Browser origins besides the gateway's own; `*` is any." })),
          max_runs: Type.Optional(Type.Integer({ minimum: 1, description: "Runs at once on this node; more are refused with 503." })),
          drain_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 600, description: "How long a shutdown waits for runs." })),
        },
        Strict,
      ),
    ),
    network: Type.Optional(
      Type.Object(
        {
          allowPrivateHosts: Type.Optional(Type.Array(Type.String(), { description: "Hosts (`name` or `name:port`) with private addresses that plugins may call." })),
          connectTimeoutMs: Type.Optional(Type.Integer({ minimum: 100, maximum: 120_000, description: "How long a connection to another server may take to be made." })),
        },
        Strict,
      ),
    ),
    sandbox: Type.Optional(
      Type.Object({ memoryMiB: Type.Optional(Type.Integer({ minimum: 64, maximum: 8_192, description: "Memory of the process of one plugin that is not bundled." })) }, Strict),
    ),
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
  maxRuns: number
  drainSeconds: number
  allowPrivateHosts: readonly string[]
  connectTimeoutMs: number
  poolSize: number
  statementTimeoutMs: number
  /** MiB that the process of one plugin may hold. */
  sandboxMemoryMiB: number
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
  return {
    host,
    port,
    token,
    dataDir,
    databaseUrl: pick(env, "DATABASE_URL", "GOCLAW_POSTGRES_DSN") ?? file.databaseUrl,
    encryption: keySource(env, dataDir),
    strict: file.strict ?? false,
    logLevel: env.PLUGBOARD_LOG_LEVEL ?? file.log?.level ?? "info",
    rateLimitRpm: file.gateway?.rate_limit_rpm ?? 0,
    ownerIds: file.gateway?.owner_ids ?? [],
    allowedOrigins: file.gateway?.allowed_origins ?? [],
    maxRuns: file.gateway?.max_runs ?? 2_000,
    drainSeconds: file.gateway?.drain_seconds ?? 30,
    allowPrivateHosts: file.network?.allowPrivateHosts ?? [],
    connectTimeoutMs: file.network?.connectTimeoutMs ?? 10_000,
    poolSize: file.database?.poolSize ?? 10,
    statementTimeoutMs: file.database?.statementTimeoutMs ?? 15_000,
    sandboxMemoryMiB: file.sandbox?.memoryMiB ?? 256,
    file: path,
    plugins: file.plugins ?? {},
    env,
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
  const wrong = checkConfig(ConfigFile, value, path)
  if (wrong) throw new ConfigError(wrong)
  return value as Static<typeof ConfigFile>
}

/** Null when `value` fits; else one line that names the key, the rule and, for an unknown key, the one that was probably meant. Fills in defaults. */
export function checkConfig(schema: TSchema, value: unknown, where: string): string | null {
  const ajv = new Ajv({ useDefaults: true, allErrors: false, strict: false })
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
