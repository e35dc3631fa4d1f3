import type { Static, TSchema } from "typebox"
import type { Caller } from "./caller.ts"
import type { HookName, Tap } from "./hooks.ts"
import type { Host } from "./host.ts"
import type { Manifest, RouteDecl, RpcDecl } from "./manifest.ts"
import type { BytesAnswer, BytesReply, JsonAnswer, MultipartBody, RawBody, SseAnswer, SseReply, UploadedFile } from "./replies.ts"

type Fields<S> = S extends TSchema ? Static<S> : Record<string, string>
type BodyOf<B> = B extends MultipartBody
  ? { file: UploadedFile | undefined; fields: Static<B["fields"]> }
  : B extends RawBody
    ? Uint8Array
    : B extends TSchema
      ? Static<B>
      : undefined

type AnswerOf<P> = P extends readonly (infer I)[] ? OneAnswer<I> : OneAnswer<P>
type OneAnswer<I> = I extends SseReply ? SseAnswer : I extends BytesReply ? BytesAnswer : I extends TSchema ? Static<I> | JsonAnswer<Static<I>> : never

export interface RouteRequest<R extends RouteDecl> {
  readonly params: Fields<R["params"]>
  readonly query: Fields<R["query"]>
  readonly body: BodyOf<R["body"]>
  /** Lower-case names. Without the credentials. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly caller: Caller
  /** Ends when the client is gone, the time limit is up or the gateway stops. */
  readonly signal: AbortSignal
}
export type RouteHandler<R extends RouteDecl> = (request: RouteRequest<R>) => Promise<AnswerOf<R["reply"]>>

/** One call on a socket. */
export interface RpcCall {
  readonly caller: Caller
  /** Opaque id of the socket. */
  readonly connectionId: string
  /** The browser pairing by which the socket came in, or for which it waits. */
  readonly senderId?: string
  /** True on a socket of today's command-line client, which needs other shapes. */
  readonly cliProfile: boolean
  /** Ends when the socket closes or the gateway stops. */
  readonly closed: AbortSignal
  /** An event to this socket alone. Must be declared, with any audience. */
  emit(event: string, payload: object): void
  /** Runs after the answer has been sent. */
  after(work: () => Promise<void>): void
}
export type RpcHandler<R extends RpcDecl> = (params: R["params"] extends TSchema ? Static<R["params"]> : Record<string, unknown>, call: RpcCall) => Promise<Static<R["result"]>>

export interface JobRun {
  readonly caller: Caller
  readonly signal: AbortSignal
}

/** What activation answers: a function for each thing that the manifest declares. */
export type Parts<M extends Manifest> = (M["routes"] extends object
  ? { routes: { [N in keyof M["routes"]]: M["routes"][N] extends infer R extends RouteDecl ? RouteHandler<R> : never } }
  : unknown) &
  (M["rpc"] extends object ? { rpc: { [N in keyof M["rpc"]]: M["rpc"][N] extends infer R extends RpcDecl ? RpcHandler<R> : never } } : unknown) &
  (M["hooks"] extends object ? { hooks: { [N in keyof M["hooks"] & HookName]: Tap<N> } } : unknown) &
  (M["jobs"] extends object ? { jobs: { [N in keyof M["jobs"]]: (data: JobData<M["jobs"][N]>, run: JobRun) => Promise<void> } } : unknown) &
  Life

type JobData<J> = J extends { data: infer S extends TSchema } ? Static<S> : never

export interface Life {
  /** After every plugin has been activated and migrated. */
  start?: () => Promise<void>
  /** On shutdown: take no new work, end what runs before the signal does. */
  drain?: (signal: AbortSignal) => Promise<void>
  stop?: () => Promise<void>
}

/** Refuses handlers that the manifest does not declare; excess properties of a returned literal are not checked otherwise. */
type Strict<P, A> = { [K in keyof A]: K extends keyof P ? (K extends keyof Life ? A[K] : { [N in keyof A[K]]: N extends keyof P[K] ? A[K][N] : never }) : never }

export interface Plugin<M extends Manifest = Manifest> {
  readonly manifest: M
  // A method, not a property: so that any plugin is a `Plugin`, whatever its host's type.
  activate(host: Host<M>): object
}

export function definePlugin<const M extends Manifest, A extends Parts<M>>(manifest: M, activate: (host: Host<M>) => A & Strict<Parts<M>, A>): Plugin<M> {
  return { manifest, activate }
}
