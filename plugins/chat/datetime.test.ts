import { defineManifest, definePlugin, Tools } from "@plugboard/sdk"
import { toolConformance } from "@plugboard/sdk/testing"
import { datetime } from "./datetime.ts"

const clock = definePlugin(defineManifest({ id: "clock", version: "1.0.0", sdk: "^1.0.0", contributes: [Tools] }), (host) => {
  host.contribute(Tools, datetime.name, datetime)
  return {}
})

toolConformance({ plugin: clock, tool: "datetime", works: [{}, { tz: "Asia/Ho_Chi_Minh" }], fails: [{ tz: "Europe/Atlantis" }] })
