import { Backups, definePlugin } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => ({
  routes: { snapshot: ({ caller }) => host.use(Backups).snapshot(caller) },
}))
