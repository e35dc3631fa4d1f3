import type { Shape } from "./shapes.ts"

/**
 * The control plane's operations as the contract's tables have them, in their order. `{name}` in a call or its input is something of the tenant that `world.ts` has made.
 * Who may call what is not here: test/access tries every role, tenant and user on everything that is served.
 */
export interface Row {
  /** Where the contract describes it. */
  at: string
  /** `GET /v1/agents`, or a method of the socket. */
  call: string
  /** Body or parameters. */
  with?: object
  /** Of a route; 200 unless said. */
  status?: number
  /** Left out: only the refusals are of interest. */
  gives?: Shape
  /** What is refused, and how: input, code, and of a route the status. */
  refuses?: readonly (readonly [input: object, code: string, status?: number])[]
  /** As another user of the tenant, or the command line's socket (WS 8). */
  as?: "owner" | "cli"
}
