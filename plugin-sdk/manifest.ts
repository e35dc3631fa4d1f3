import type { TObject, TSchema } from "typebox"
import type { Role, Scope } from "./caller.ts"
import type { ErrorKind } from "./errors.ts"
import type { HookName } from "./hooks.ts"
import type { BytesReply, MultipartBody, RawBody, SseReply } from "./replies.ts"
import type { PointToken, ServiceToken } from "./tokens.ts"

/**
 * Who may call. There is no default, by verb or otherwise.
 * `role`: the least role. `runsGateway`: and it must be one who runs the gateway. `orScope`: an API key with that scope is let in whatever its role.
 * `auth: "public"`: no credential is asked for or looked at. `"signed"`: a signed link in the query, else a viewer. `"webhook"`: the handler verifies the sender's signature.
 */
export type Access =
  | { role: Role; orScope?: Scope; auth?: undefined; runsGateway?: boolean }
  | { auth: "public" | "signed" | "webhook"; role?: undefined; orScope?: undefined; runsGateway?: undefined }

export type Verb = "GET" | "POST" | "PUT" | "PATCH" | "DELETE"

export interface Limits {
  /** Largest body in bytes; 1 MiB when left out. */
  bodyBytes?: number
  /** Longest time for the handler in ms; none for a stream. */
  timeoutMs?: number
  /** True: a call spends the gateway's request budget (`gateway.rate_limit_rpm`). */
  rate?: boolean
}

export type RouteDecl = Access & {
  method: Verb
  /** `/v1/things/:id`; a list gives aliases; a last segment `*rest` takes the remaining path. */
  path: string | readonly string[]
  summary: string
  tags?: readonly string[]
  /** A schema may say under `documented` what the plugin checks by itself; see `Documented`. */
  params?: TObject
  query?: TObject
  body?: TSchema | MultipartBody | RawBody
  reply: TSchema | SseReply | BytesReply | readonly (TSchema | SseReply | BytesReply)[]
  /** Status of a success; 200 when left out. */
  status?: number
  limits?: Limits
  /** Failures of the handler have the error object of that API. */
  errors?: "openai" | "anthropic"
  /** `"payload"`: the reply's first array is repeated under `payload`, for the list reader of today's CLI. */
  alsoAs?: "payload"
}

export type RpcDecl = Access & {
  summary: string
  params?: TSchema
  result: TSchema
  /** Name of the parameter whose value puts calls in order: calls of one socket that name the same object run one after the other. */
  order?: string
  /** `"connect"`: may be called before the socket is authenticated. */
  before?: "connect"
  /** Other spellings of parameters: `{ agent_id: "agentId" }`. The canonical name wins when both are there. */
  aliases?: Readonly<Record<string, string>>
  limits?: Pick<Limits, "rate" | "timeoutMs">
}

export interface TapDecl {
  phase: string
  /** `open`: log and go on. `closed`: the request fails and names this plugin. `open` when left out. */
  failure?: "open" | "closed"
  /** Longest wait in ms; the hook's own limit when left out. */
  timeoutMs?: number
}

/** Who gets an event. Everything but `all` stays within the tenant. `internal` never leaves the gateway. */
export type Audience = "internal" | "socket" | "user" | "user+admins" | "operators" | "admins" | "owners" | "tenant" | "all"

export interface EventDecl {
  payload: TSchema
  to: Audience
  /**
   * What a socket that reads slowly may do with it. `field` is the payload member that names the sort of event.
   * Sorts in `merge` may be joined with their neighbour of the same `key` by concatenating the text at `text` (a path), and go first when even that is too much;
   * sorts in `keep` are never dropped. Others are kept until the socket's queue is full.
   */
  flow?: { field: string; key: string; merge: readonly string[]; text: readonly [string, string]; keep: readonly string[] }
}

export interface ErrorDecl {
  kind: ErrorKind
  params?: TObject
  /** For the error object of the OpenAI routes. */
  openai?: { type?: string; code?: string }
}

export interface JobDecl {
  data: TSchema
  /** A cron expression (minutes resolution, UTC) for a job that also runs by itself, once per cluster. */
  cron?: string
  /** Longest run in seconds; then it counts as failed. */
  timeoutSeconds?: number
  retries?: number
}

export interface Capabilities {
  /** Own tables, in the schema of the plugin's name. */
  db?: boolean
  /** Host patterns that `host.http` may reach: `api.example.com`, `*.example.com`, `*`. */
  net?: readonly string[]
  /** Names of secrets that the plugin may seal and open. */
  secrets?: readonly string[]
  /** The files of the tenant's workspaces. */
  files?: boolean
  /** Work for every tenant that has the plugin on, without a caller (`host.eachTenant`). Bundled plugins need not ask. */
  system?: boolean
}

export interface Manifest {
  /** Lower-case letters, digits and dashes; also the name of its folder, its database schema (dashes become underscores) and its config section. */
  id: string
  version: string
  /** Range of SDK versions, such as `^1.0.0`. */
  sdk: string
  summary?: string
  /** True: without it nobody could watch or manage the gateway, so it cannot be switched off there. Bundled plugins only. */
  essential?: boolean
  /** Services that must be there. The plugin is set aside, with the reason, when one is missing. */
  requires?: readonly ServiceToken<unknown>[]
  /** Plugins to come after, when they are there. */
  after?: readonly string[]
  offers?: readonly ServiceToken<unknown>[]
  opens?: readonly PointToken<unknown>[]
  contributes?: readonly PointToken<unknown>[]
  capabilities?: Capabilities
  config?: TObject
  routes?: Readonly<Record<string, RouteDecl>>
  rpc?: Readonly<Record<string, RpcDecl>>
  hooks?: { readonly [N in HookName]?: TapDecl }
  /** Hooks that this plugin calls. */
  fires?: readonly HookName[]
  events?: Readonly<Record<string, EventDecl>>
  /** Internal events of other plugins that it listens to. */
  listens?: readonly string[]
  jobs?: Readonly<Record<string, JobDecl>>
  errors?: Readonly<Record<string, ErrorDecl>>
  /** Tables in its schema that belong to no tenant. Every other one must have `tenant_id` and forced row-level security. */
  globalTables?: readonly string[]
}

/** Checks nothing at run time; keeps the literal types, from which handlers are typed. */
export function defineManifest<const M extends Manifest>(manifest: M): M {
  return manifest
}
