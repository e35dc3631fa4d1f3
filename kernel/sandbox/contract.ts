import type { Grants, Manifest } from "@plugboard/sdk"

/** What the gateway tells a plugin's process first. */
export interface Init {
  manifest: Manifest
  config: object
  /** `file:` address of the module with the plugin. */
  entry: string
  grants: Grants
  node: { id: string; boot: string }
  /** Services that are there now, of those it may use. */
  services: string[]
}

/** A method of something that lives in the other process; everything else of it is data. */
export interface Facade {
  data: Record<string, unknown>
  methods: string[]
}

/** What a plugin's process answers once its plugin is activated. */
export interface Registration {
  handlers: Record<"routes" | "rpc" | "hooks" | "jobs", string[]>
  life: ("start" | "drain" | "stop")[]
  offers: { service: string; version: string; facade: Facade }[]
  contributions: { point: string; version: string; key: string; facade: Facade }[]
  /** Events that it listens to. */
  events: string[]
  /** Points that it opens: it is told who contributes to them. */
  opens: string[]
}

/** A hook's tap answers `same` when it returned the value that it was given: the gateway goes on with its own. */
export type TapAnswer = { same: true } | { value: unknown }

/** A method's answer, and whether there is work to do once it has been sent. */
export interface RpcAnswer {
  result: unknown
  after: boolean
}

export function facadeOf(implementation: object): Facade {
  const facade: Facade = { data: {}, methods: [] }
  for (const [name, member] of Object.entries(implementation)) {
    if (typeof member === "function") facade.methods.push(name)
    else facade.data[name] = member
  }
  // Methods of a class stand on its prototype.
  for (let proto: object | null = Object.getPrototypeOf(implementation); proto && proto !== Object.prototype; proto = Object.getPrototypeOf(proto)) {
    for (const name of Object.getOwnPropertyNames(proto))
      if (name !== "constructor" && typeof (implementation as Record<string, unknown>)[name] === "function") facade.methods.push(name)
  }
  return facade
}

/**
 * What a facade's method answers, before anybody knows whether it is a value or a stream: await it, or iterate over it.
 * `answer` is not asked for before either happens.
 */
export function valueOrStream(answer: () => Promise<unknown>): Promise<unknown> & AsyncIterable<unknown> {
  let asked: Promise<unknown> | undefined
  const ask = () => {
    asked ??= answer()
    return asked
  }
  return {
    // biome-ignore lint/suspicious/noThenProperty: it is a promise, made when it is awaited.
    then: (fulfilled, rejected) => ask().then(fulfilled, rejected),
    catch: (rejected) => ask().catch(rejected),
    finally: (work) => ask().finally(work),
    [Symbol.toStringTag]: "Promise",
    async *[Symbol.asyncIterator]() {
      yield* (await ask()) as AsyncIterable<unknown>
    },
  } as Promise<unknown> & AsyncIterable<unknown>
}

export function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value
}
