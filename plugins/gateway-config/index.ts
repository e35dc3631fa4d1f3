import { type Caller, Configuration, type ConfigurationDocument, definePlugin, hasRole, isError } from "@plugboard/sdk"
import { previewOf } from "./chat-behavior.ts"
import { defaults } from "./defaults.ts"
import { at, under, withAddress, withoutAddress } from "./keys.ts"
import { manifest } from "./manifest.ts"
import { type Document, isDocument, literal, readRaw } from "./read-raw.ts"

export default definePlugin(manifest, (host) => {
  const configuration = host.use(Configuration)
  const written = ({ path, config, hash }: ConfigurationDocument) => ({ ok: true as const, path, config: withAddress(config), hash, restart: false as const })
  const merge = async (caller: Caller, fragment: Document, baseHash: string | undefined) => written(await configuration.merge(caller, withoutAddress(fragment), baseHash))

  function parsed(raw: string): Document {
    try {
      return readRaw(raw)
    } catch (error) {
      throw host.fail("bad_raw", { reason: (error as Error).message.slice(0, 200) })
    }
  }

  /** The command-line client sends every value as a text. */
  async function put(caller: Caller, key: string, value: unknown, baseHash: string | undefined) {
    try {
      return await merge(caller, under(key, value), baseHash)
    } catch (error) {
      const misfit = isError(error, "kernel.config_misfit") || isError(error, "kernel.plugin_settings")
      if (typeof value !== "string" || !misfit) throw error
      const meant = literal(value)
      if (meant === undefined) throw error
      return merge(caller, under(key, meant), baseHash)
    }
  }

  return {
    rpc: {
      "config.get": async ({ key }, { caller }) => {
        const { config, hash, path } = await configuration.read(caller)
        const shown = withAddress(config)
        if (!key) return { config: shown, hash, path }
        const value = at(shown, key)
        if (value === undefined) throw host.fail("unknown_key", { key: key.slice(0, 200) })
        return { key, value, hash }
      },
      "config.apply": async ({ raw, baseHash, ...rest }, { caller }) => {
        const document = raw === undefined ? (rest as Document) : parsed(raw)
        // It would put back everything, and is more likely a client that has forgotten something.
        if (Object.keys(document).length === 0) throw host.fail("no_document", {})
        return written(await configuration.replace(caller, withoutAddress(document), baseHash))
      },
      "config.patch": async ({ raw, baseHash, key, value }, { caller }) => {
        if (raw !== undefined) return merge(caller, parsed(raw), baseHash)
        if (!key || value === undefined) throw host.fail("no_change", {})
        return put(caller, key, value, baseHash)
      },
      "config.schema": async (_, { caller }) => ({ json: (await configuration.schema(caller)) as Document }),
      "config.defaults": async (_, { caller }) => {
        if (caller.tenantSlug !== "master" && !hasRole(caller, "owner")) throw host.fail("master_only", {})
        return defaults
      },
      "chat_behavior.preview": async ({ content, isStreaming = false, hasToolCalls = false, config }) =>
        previewOf(isDocument(config) ? config : {}, { content, isStreaming, hasToolCalls }),
    },
  }
})
