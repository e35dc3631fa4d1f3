import { deepEqual, equal, match, rejects } from "node:assert/strict"
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { testGateway } from "@plugboard/sdk/testing"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { KeyRing, keyFile, keyIdOf } from "../../kernel/key-ring.ts"
import { Redactor } from "../../kernel/log.ts"
import { createSecrets } from "../../kernel/secrets.ts"
import { masterTenantId } from "../../kernel/tenancy.ts"
import { freePort, plugboard } from "../packages/command.ts"
import { startGateway } from "../processes.ts"

describe("a rotation of the encryption key", function () {
  this.timeout(120_000)

  it("that was cut off by kill -9 is gone on with by the next start, and the command follows it", async () => {
    const storage = await scratchDatabase()
    const token = "a-token-of-this-test"
    const port = await freePort()
    const env = { PLUGBOARD_TOKEN: token, PLUGBOARD_PORT: port, PLUGBOARD_DATA_DIR: storage.dataDir, ...(storage.databaseUrl && { DATABASE_URL: storage.databaseUrl }) }
    const file = join(storage.dataDir, "encryption.key")
    try {
      const prepared = await testGateway({ on: storage, token })
      const old = keyIdOf(Buffer.from(readFileSync(file, "utf8").trim(), "hex"))
      // Many secrets of a plugin that is gone: they are found all the same.
      const box = createSecrets(new KeyRing(keyFile(file, [])), new Redactor())
      const sealed = Array.from({ length: 4_000 }, (_, n) => box.seal(masterTenantId, "gone", `note:${n}`, `the note ${n}`))
      await prepared.executeSql("CREATE SCHEMA gone")
      await prepared.executeSql("CREATE TABLE gone.notes (id int PRIMARY KEY, text text NOT NULL, filler text NOT NULL)")
      await prepared.executeSql("INSERT INTO gone.notes SELECT n, t, repeat('x', 1500) FROM unnest($1::text[]) WITH ORDINALITY AS u(t, n)", [sealed])
      await prepared.close({ keep: true })

      const first = await startGateway(env)
      const headers = { authorization: `Bearer ${token}`, "x-goclaw-user-id": "system" }
      // Right after its start a gateway on a slow machine may turn work away.
      while ((await fetch(`${first.url}/v1/encryption-keys/rotate`, { method: "POST", headers })).status !== 202) await new Promise((resolve) => setTimeout(resolve, 50))
      await first.kill()
      const second = await startGateway(env)
      const { code, out, err } = await plugboard(["keys", "rotate"], env)
      equal(code, 0, err)
      match(out, new RegExp(`4000 secrets, the newest key[^]*Drop it with: plugboard keys drop ${old}`))
      equal((await plugboard(["keys", "drop", old], env)).code, 0)
      await second.stop()

      const after = await testGateway({ on: storage, token })
      const { rows } = await after.executeSql("SELECT text FROM gone.notes ORDER BY id")
      const now = createSecrets(new KeyRing(keyFile(file, [])), new Redactor())
      deepEqual(
        rows.map(({ text }, n) => now.open(masterTenantId, "gone", `note:${n}`, String(text))),
        sealed.map((_, n) => `the note ${n}`),
      )
      await after.close({ keep: true })
    } finally {
      await storage.drop()
    }
  })

  if (process.env.TEST_DATABASE_URL) {
    it("is refused by a node with the old key alone, in words, until it gets the new one, without a restart", async () => {
      const one = await testGateway()
      const folder = mkdtempSync(join(tmpdir(), "plugboard-node-"))
      const { dataDir } = one.storage as { dataDir: string }
      for (const node of ["two", "three"]) {
        mkdirSync(join(folder, node))
        copyFileSync(join(dataDir, "encryption.key"), join(folder, node, "encryption.key"))
      }
      const two = await testGateway({ on: one.storage, token: one.token, env: { PLUGBOARD_DATA_DIR: join(folder, "two") } })
      try {
        const provider = (name: string) => ({ name, provider_type: "openai_compat", api_base: "http://127.0.0.1:9/v1", api_key: "sk-0123456789" })
        const owner = await one.as("owner")
        equal((await two.as("owner").post("/v1/providers", provider("first"))).status, 201)
        const { key } = (await owner.post("/v1/encryption-keys/rotate")).body
        const until = async (done: () => boolean) => {
          while (!done()) await new Promise((resolve) => setTimeout(resolve, 20))
        }
        await until(() => two.logs.some((line) => line.includes("has not got the newest encryption key") && line.includes(key)))
        const refused = await two.as("owner").post("/v1/providers", provider("second"))
        equal(refused.status, 503)
        match(refused.body.error, new RegExp(`sealed with the encryption key ${key}, and this node has [0-9a-f]{8} only`))
        await rejects(
          testGateway({ on: one.storage, token: one.token, env: { PLUGBOARD_DATA_DIR: join(folder, "three") } }),
          new RegExp(`sealed with the encryption key ${key}, and this node has`),
        )
        writeFileSync(join(folder, "two", "encryption.key"), readFileSync(join(dataDir, "encryption.key")))
        await owner.post("/v1/encryption-keys/rotate")
        const accepted = async () => (await two.as("owner").post("/v1/providers", provider("third"))).status === 201
        while (!(await accepted())) await new Promise((resolve) => setTimeout(resolve, 50))
      } finally {
        await two.close({ keep: true })
        await one.close()
        rmSync(folder, { recursive: true })
      }
    })
  }
})
