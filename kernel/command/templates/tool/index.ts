import { definePlugin, Tools } from "@plugboard/sdk"
import { countWords } from "./count-words.ts"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  const tool = countWords(host)
  host.contribute(Tools, tool.name, tool)
  return {}
})
