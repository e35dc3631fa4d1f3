import { type Caller, definePlugin } from "@plugboard/sdk"
import { answers } from "./answers.ts"
import { files } from "./attacks/files.ts"
import { hostAttacks } from "./attacks/host.ts"
import { processes } from "./attacks/processes.ts"
import { sockets } from "./attacks/sockets.ts"
import { attempt } from "./attempt.ts"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  let caller: Caller
  const attacks = { ...files, ...sockets, ...processes, ...hostAttacks(host, () => caller) }
  const run = (by: Caller, name: string, given?: unknown) => {
    caller = by
    return attempt(attacks[name] ?? (() => Promise.reject(new TypeError(`there is no attack ${name}`))), given)
  }
  return {
    routes: {
      attack: ({ body, caller }) => run(caller, body.name, body.given),
      answer: async ({ params }) => (answers[(params as { name: string }).name] as () => never)(),
    },
    rpc: { "mallory.attack": ({ name }, { caller }) => run(caller, name) },
    jobs: { dig: async () => undefined },
  }
})
