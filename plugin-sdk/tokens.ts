declare const typed: unique symbol

/** Names a service, and carries its type for the compiler. Pure data at run time. */
export interface ServiceToken<T> {
  readonly service: string
  readonly version: string
  readonly [typed]?: T
}

export function service<T>(name: string, version: string): ServiceToken<T> {
  return { service: name, version }
}

/** Names a registry that one plugin (or the kernel) opens and others contribute to. */
export interface PointToken<T> {
  readonly point: string
  readonly version: string
  readonly [typed]?: T
}

export function extensionPoint<T>(name: string, version: string): PointToken<T> {
  return { point: name, version }
}

type AnyFunction = (...args: never[]) => unknown

/**
 * The same object seen from a place that may be another process: every method answers a promise (or an async iterable), data only.
 * A last argument may be an AbortSignal.
 */
export type Remote<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer A) => infer R
    ? R extends AsyncIterable<unknown>
      ? (...args: A) => R
      : (...args: A) => Promise<Awaited<R>>
    : T[K] extends AnyFunction
      ? never
      : T[K]
}
