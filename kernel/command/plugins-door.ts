import type { Caller, PluginsService } from "@plugboard/sdk"
import { loadAddress } from "../config.ts"
import { findGateway } from "./remote-gateway.ts"

/** The plugins of a gateway, as whoever holds its token or its database. */
export type Door = { [K in keyof PluginsService]: PluginsService[K] extends (caller: Caller, ...args: infer A) => infer R ? (...args: A) => R : never } & { close(): Promise<void> }

/** The gateway that listens where the configuration says; its database when none does. */
export async function openDoor(env: Readonly<Record<string, string | undefined>>): Promise<Door> {
  const running = await findGateway(loadAddress(env))
  if (running) return (await import("./remote-plugins.ts")).remotePlugins(running)
  const { openStored } = await import("./stored-plugins.ts")
  return openStored(env)
}
