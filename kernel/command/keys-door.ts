import type { EncryptionRotation, EncryptionState } from "@plugboard/sdk"
import { loadAddress } from "../config.ts"
import { type Ask, findGateway } from "./remote-gateway.ts"

/** The encryption keys of a gateway, as whoever holds its token or its database. */
export interface KeysDoor {
  status(): Promise<EncryptionState>
  rotation(): Promise<EncryptionRotation | null>
  rotate(): Promise<EncryptionRotation>
  drop(key: string, force: boolean): Promise<EncryptionState>
  close(): Promise<void>
}

/** Of the gateway that listens where the configuration says; of its database when none does. */
export async function openKeysDoor(env: Readonly<Record<string, string | undefined>>): Promise<KeysDoor> {
  const running = await findGateway(loadAddress(env))
  return running ? remoteKeys(running) : storedKeys(env)
}

function remoteKeys(ask: Ask): KeysDoor {
  const path = "/v1/encryption-keys"
  return {
    status: () => ask("GET", path),
    rotation: async () => (await ask<{ rotation: EncryptionRotation | null }>("GET", `${path}/rotation`)).rotation,
    rotate: () => ask("POST", `${path}/rotate`),
    drop: (key, force) => ask("DELETE", `${path}/${encodeURIComponent(key)}?force=${force}`),
    close: async () => undefined,
  }
}

async function storedKeys(env: Readonly<Record<string, string | undefined>>): Promise<KeysDoor> {
  const { caller, openStore } = await import("./store.ts")
  const { Encryption } = await import("../upkeep/encryption.ts")
  const { bundledPlugins } = await import("../plugins/discover.ts")
  const store = await openStore(env)
  const encryption = new Encryption({ ...store, manifests: async () => (await bundledPlugins()).map(({ manifest }) => manifest) })
  return {
    status: () => encryption.status(caller),
    rotation: () => encryption.rotation(caller),
    rotate: () => encryption.rotate(caller),
    drop: (key, force) => encryption.drop(caller, key, force),
    async close() {
      await encryption.stop()
      await store.db.close()
    },
  }
}
