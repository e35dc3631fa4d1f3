import { acme } from "../../db/notes.test.ts"
import { termsDatabase } from "./terms.test.ts"
it("x", async () => {
  const terms = await termsDatabase()
  const rss = () => Math.round(process.memoryUsage.rss() / 1e6)
  console.log("start", rss())
  const texts = [
    "SELECT length(string_agg(repeat('x', 10000), '')) AS n FROM generate_series(1, 10000) AS s(i)",
    "SELECT string_agg(repeat('x', 10000), '') AS n FROM generate_series(1, 10000) AS s(i)",
    "SELECT length(string_agg(repeat('x', 10000), '')) AS n FROM generate_series(1, 10000) AS s(i), generate_series(1, 9) AS b(j)",
    "WITH RECURSIVE d(n, t) AS (SELECT 1, repeat('x', 10000) UNION ALL SELECT n + 1, t || t FROM d WHERE n < 17) SELECT max(length(t)) AS n FROM d",
    "SELECT array_agg(repeat('x', 10000)) AS n FROM generate_series(1, 10000) AS s(i), generate_series(1, 100) AS b(j)",
    "SELECT jsonb_agg(repeat('x', 10000)) AS n FROM generate_series(1, 10000) AS s(i), generate_series(1, 100) AS b(j)",
  ]
  for (const t of texts) { const at = performance.now(); const r = await terms.plugin.query(acme, t, []).then((r) => JSON.stringify(r).slice(0, 80), (e) => `${e.message} ${e.failure?.params?.reason ?? ""} ${e.cause?.message ?? ""}`); console.log(t.slice(0, 60), Math.round(performance.now() - at), "ms", rss(), r); await new Promise((f) => setTimeout(f, 2500)) ; console.log("  later", rss()) }
  await terms.drop()
}).timeout(200000)
