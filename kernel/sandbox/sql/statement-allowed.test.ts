import { equal, ok } from "node:assert/strict"
import { gateMigration } from "./migration.ts"
import { type ScratchSql, scratchSql } from "./scratch.test.ts"
import { gateStatement } from "./statement.ts"

const tables = `
  CREATE TYPE notes.kind AS ENUM ('plain', 'task');
  CREATE TABLE notes.notes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
    key text NOT NULL UNIQUE,
    body text NOT NULL DEFAULT '',
    kind notes.kind NOT NULL DEFAULT 'plain',
    stars integer NOT NULL DEFAULT 0,
    tags text[] NOT NULL DEFAULT '{}',
    data jsonb NOT NULL DEFAULT '{}',
    words tsvector GENERATED ALWAYS AS (to_tsvector('english', body)) STORED,
    near vector(3),
    open tstzrange,
    made timestamptz NOT NULL DEFAULT now()
  );
  CREATE TABLE notes.links (tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(), a bigint NOT NULL, b bigint NOT NULL, PRIMARY KEY (a, b));
  SELECT kernel.protect('notes.notes');
  SELECT kernel.protect('notes.links');`

/** Text, and the version of PostgreSQL that brought its syntax when 15 has not got it. */
const allowed: readonly (readonly [text: string, since?: number])[] = [
  ["SELECT 1"],
  ["SELECT id, key FROM notes.notes"],
  ["select ID from NOTES.Notes;"],
  ["SELECT * FROM notes.notes WHERE id = $1"],
  ['SELECT n."key" FROM "notes"."notes" AS n WHERE n.stars >= $1 ORDER BY n.made DESC NULLS LAST, n.id LIMIT $2 OFFSET $3'],
  ["SELECT notes.notes.key, notes.id FROM notes.notes"],
  ["SELECT n FROM notes.notes n"],
  ["SELECT n.* FROM ONLY notes.notes AS n"],
  ["TABLE notes.notes"],
  ["VALUES (1, 'a'), ($1::int, $2)"],
  ["SELECT DISTINCT ON (kind) kind, key FROM notes.notes ORDER BY kind, stars DESC"],
  ["SELECT key FROM notes.notes WHERE body LIKE $1 || '%' ESCAPE '\\' AND key !~* 'x' OR body SIMILAR TO '%(a|b)%'"],
  ["SELECT key FROM notes.notes WHERE stars BETWEEN 1 AND 5 AND stars NOT BETWEEN SYMMETRIC 9 AND 7 AND key IN ('a', 'b') AND id = ANY($1::bigint[])"],
  ["SELECT key FROM notes.notes WHERE body IS DISTINCT FROM $1 AND (stars = 0) IS NOT TRUE AND body IS NOT NULL AND NOT (tags @> ARRAY['x'])"],
  ["SELECT CASE WHEN stars > 3 THEN 'many' WHEN stars = 0 THEN 'none' ELSE 'some' END, coalesce(body, ''), nullif(stars, 0), greatest(stars, 1), least(stars, 5) FROM notes.notes"],
  [
    "SELECT kind, count(*), count(DISTINCT key) FILTER (WHERE stars > 1), string_agg(key, ',' ORDER BY key), percentile_cont(0.5) WITHIN GROUP (ORDER BY stars) FROM notes.notes GROUP BY kind HAVING count(*) > 1",
  ],
  ["SELECT kind, stars, sum(stars), grouping(kind, stars) FROM notes.notes GROUP BY GROUPING SETS ((kind), (stars), ()), CUBE (kind), ROLLUP (stars)"],
  [
    "SELECT key, row_number() OVER (PARTITION BY kind ORDER BY stars), lag(stars, 1, 0) OVER w, sum(stars) OVER (w ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM notes.notes WINDOW w AS (ORDER BY made)",
  ],
  ["SELECT a.key, b.key FROM notes.notes a JOIN notes.links l ON l.a = a.id LEFT JOIN notes.notes b ON b.id = l.b"],
  ["SELECT key FROM notes.notes JOIN notes.links USING (tenant_id) AS joined NATURAL JOIN (SELECT 1 AS one) s CROSS JOIN (VALUES (1), (2)) AS v(n)"],
  ["SELECT n.key, s.count FROM notes.notes n, LATERAL (SELECT count(*) FROM notes.links l WHERE l.a = n.id) AS s"],
  ["SELECT key FROM notes.notes n WHERE EXISTS (SELECT FROM notes.links l WHERE l.a = n.id) AND id NOT IN (SELECT b FROM notes.links) AND stars > ALL (SELECT 1)"],
  ["SELECT ARRAY(SELECT key FROM notes.notes), (SELECT max(stars) FROM notes.notes), ROW(1, 'a'), (1, 2) = (1, 2), ARRAY[1, 2], (ARRAY[1, 2])[1], tags[1:2] FROM notes.notes"],
  ["WITH top AS (SELECT id FROM notes.notes ORDER BY stars DESC LIMIT 3), again AS MATERIALIZED (SELECT id FROM top) SELECT * FROM again JOIN top USING (id)"],
  [
    "WITH RECURSIVE reach(id, depth) AS (SELECT $1::bigint, 0 UNION SELECT l.b, depth + 1 FROM reach JOIN notes.links l ON l.a = reach.id WHERE depth < 5) SELECT id, min(depth) FROM reach GROUP BY id",
  ],
  [
    "WITH RECURSIVE walk AS (SELECT a, b FROM notes.links UNION ALL SELECT w.a, l.b FROM walk w JOIN notes.links l ON l.a = w.b) SEARCH DEPTH FIRST BY a SET ord CYCLE a, b SET looped USING path SELECT * FROM walk",
  ],
  ["WITH pg_authid AS (SELECT 1 AS rolname) SELECT rolname FROM pg_authid"],
  ["WITH gone AS (DELETE FROM notes.links WHERE a = $1 RETURNING b) SELECT b FROM gone"],
  ["WITH x AS (SELECT 1 AS one) SELECT (WITH y AS (SELECT one FROM x) SELECT one FROM y)"],
  ["SELECT key FROM notes.notes EXCEPT (SELECT key FROM notes.notes WHERE stars = 0 INTERSECT ALL SELECT $1) UNION ALL VALUES ('z') ORDER BY 1 FETCH FIRST 5 ROWS ONLY"],
  ["SELECT id FROM notes.notes WHERE id = $1 FOR UPDATE"],
  ["SELECT n.id FROM notes.notes n ORDER BY id LIMIT 1 FOR NO KEY UPDATE OF n SKIP LOCKED"],
  ["INSERT INTO notes.notes (key, body) VALUES ($1, $2), ($3, DEFAULT) RETURNING id, made"],
  ["INSERT INTO notes.notes (key, tags) VALUES ($1, $2::text[]) ON CONFLICT (key) DO NOTHING RETURNING *"],
  ["INSERT INTO notes.notes AS n (key, stars) VALUES ($1, 1) ON CONFLICT (key) DO UPDATE SET stars = n.stars + excluded.stars, body = excluded.body WHERE n.stars < 100"],
  ["INSERT INTO notes.links (a, b) SELECT $1, id FROM unnest($2::bigint[]) AS t(id) ON CONFLICT ON CONSTRAINT links_pkey DO NOTHING"],
  ["INSERT INTO notes.notes (key, stars) SELECT key, stars FROM jsonb_to_recordset($1) AS x(key text, stars int)"],
  ["INSERT INTO notes.notes (key, tags[1]) OVERRIDING USER VALUE VALUES ('a', 'b')"],
  ["INSERT INTO notes.links DEFAULT VALUES"],
  ["UPDATE notes.notes SET stars = stars + 1, tags[1] = 'x', data = jsonb_set(data, '{a}', to_jsonb($2::text)) WHERE id = $1 RETURNING stars"],
  ["UPDATE notes.notes n SET (stars, body) = (SELECT count(*), max(l.b::text) FROM notes.links l WHERE l.a = n.id), made = DEFAULT"],
  ["UPDATE notes.notes n SET stars = v.stars FROM (VALUES ($1::bigint, $2::int)) AS v(id, stars) WHERE v.id = n.id"],
  ["DELETE FROM notes.notes n USING notes.links l WHERE l.a = n.id AND l.b = $1 RETURNING n.*"],
  [
    "MERGE INTO notes.notes n USING (SELECT $1::text AS key) s ON s.key = n.key WHEN MATCHED AND n.stars > 9 THEN DELETE WHEN MATCHED THEN UPDATE SET stars = n.stars + 1 WHEN NOT MATCHED THEN INSERT (key) VALUES (s.key)",
  ],
  ["MERGE INTO notes.links l USING notes.notes n ON n.id = l.a WHEN MATCHED THEN DO NOTHING"],
  ["MERGE INTO notes.notes n USING notes.links l ON l.a = n.id WHEN NOT MATCHED BY SOURCE THEN DELETE RETURNING merge_action(), n.id", 17],
  ["UPDATE notes.notes SET stars = 1 RETURNING WITH (OLD AS before) before.stars, new.stars", 18],
  ["SELECT key FROM notes.notes WHERE words @@ websearch_to_tsquery('english', $1) ORDER BY ts_rank(words, plainto_tsquery($1)) DESC"],
  ["SELECT to_tsvector($1::regconfig, $2), ts_headline('english', body, to_tsquery('a & b')) FROM notes.notes"],
  ["SELECT key, near <=> $1::vector AS distance FROM notes.notes ORDER BY near <-> $1::vector LIMIT 5"],
  ["SELECT cosine_distance(near, '[1,2,3]'), l2_normalize(near), avg(near) OVER (), near::halfvec(3), near::real[] FROM notes.notes"],
  ["SELECT similarity(key, $1), key % $1, $1 <% body, unaccent(body) FROM notes.notes ORDER BY key <-> $1"],
  ["SELECT data->'a'->>'b', data #>> '{a,b}', data ? 'a', data ?| ARRAY['a'], data @? '$.a', data - 'a' || '{\"b\": 1}', jsonb_path_query_array(data, '$.a[*]') FROM notes.notes"],
  ["SELECT e.key, e.value, o.ordinality FROM notes.notes n, jsonb_each(n.data) AS e, unnest(n.tags) WITH ORDINALITY AS o(tag, ordinality) WHERE o.tag <> e.key"],
  ["SELECT x.a, y FROM ROWS FROM (unnest($1::int[]), jsonb_to_recordset($2) AS (b int)) AS x(a, b), regexp_split_to_table($3, ',') AS y"],
  ["SELECT jsonb_agg(jsonb_build_object('key', key, 'row', to_jsonb(n))) FROM notes.notes n"],
  ["SELECT j.a FROM JSON_TABLE($1::jsonb, '$[*]' COLUMNS (a int PATH '$.a', b text EXISTS, NESTED PATH '$.c[*]' COLUMNS (d int))) AS j", 17],
  ["SELECT JSON_VALUE(data, '$.a' RETURNING int DEFAULT 0 ON EMPTY), JSON_EXISTS(data, '$.b'), JSON_QUERY(data, '$.c' WITH WRAPPER) FROM notes.notes", 17],
  ["SELECT body IS JSON OBJECT FROM notes.notes", 16],
  [
    "SELECT now(), CURRENT_TIMESTAMP, CURRENT_DATE, LOCALTIME(0), clock_timestamp(), made AT TIME ZONE 'UTC', date_trunc('day', made), EXTRACT(epoch FROM made), age(made) FROM notes.notes",
  ],
  ["SELECT made - interval '1 day' * n, make_interval(days => n) FROM notes.notes, generate_series(0, 30) AS n"],
  ["SELECT n FROM generate_series(1, least($1, 366)) AS n UNION ALL SELECT generate_series(10, 1, -3)"],
  ["SELECT (a, b) OVERLAPS (b, a), open && tstzrange(now(), NULL), lower(open), isempty(open) FROM notes.notes, (SELECT now() AS a, now() AS b) s"],
  [
    "SELECT TRIM(BOTH 'x' FROM key), SUBSTRING(key FROM 2 FOR 3), SUBSTRING(key FROM '[0-9]+'), POSITION('a' IN key), OVERLAY(key PLACING 'b' FROM 1), upper(key), pg_catalog.lower(key), format('%s', key), repeat('ab', 3), lpad(key, 10, '0') FROM notes.notes",
  ],
  [
    "SELECT key COLLATE \"C\", key::varchar(3), CAST(stars AS numeric(5, 2)), stars::pg_catalog.int8, 'task'::notes.kind, '{1}'::int[], '::1'::inet, x'1F'::int, B'101', 1.5e3, TRUE, NULL FROM notes.notes",
  ],
  ["SELECT 1 OPERATOR(pg_catalog.+) 2, near OPERATOR(public.<->) near FROM notes.notes ORDER BY key USING <"],
  ["SELECT gen_random_uuid(), random(), md5(body), encode(sha256(body::bytea), 'hex'), round(1.5, 0), width_bucket(1, 0, 10, 5) FROM notes.notes"],
  ["SELECT id FROM notes.notes TABLESAMPLE BERNOULLI (10) REPEATABLE (1)"],
  ["SELECT $$a; DROP TABLE kernel.api_keys$$, 'it''s; -- no comment', E'\\'; SELECT 1', U&'\\0041', \"key\" /* kernel.api_keys; */ FROM notes.notes -- the end; SELECT 1"],
  ["SELECT 1;;; -- nothing more"],
]

describe("statements that a sandboxed plugin may run", function allowedStatements() {
  this.timeout(60_000)
  let scratch: ScratchSql
  before(async () => {
    scratch = await scratchSql()
    await scratch.run("CREATE SCHEMA notes")
    for (const text of await gateMigration(tables, "notes")) await scratch.run(text)
  })
  after(() => scratch.close())

  it("are at least 60", () => ok(allowed.length >= 60))

  for (const [text, since = 15] of allowed) {
    it(`pass the gate, and are understood by the database: ${text}`, async () => {
      const gated = await gateStatement(text, "notes")
      if (since > scratch.version) return
      await scratch.run(`PREPARE tried AS ${gated.text}`)
      await scratch.run("DEALLOCATE tried")
    })
  }

  it("come back as the one statement that was judged, without what follows it", async () => {
    equal((await gateStatement(" SELECT 'ü' ; -- ; \n ;", "notes")).text, "SELECT 'ü'")
  })

  it("are told apart by whether they write", async () => {
    for (const [text, writes] of [
      ["SELECT id FROM notes.notes FOR UPDATE", false],
      ["WITH a AS (SELECT 1) SELECT * FROM a", false],
      ["WITH a AS (DELETE FROM notes.notes RETURNING id) SELECT * FROM a", true],
      ["MERGE INTO notes.links l USING notes.notes n ON n.id = l.a WHEN MATCHED THEN DELETE", true],
    ] as const)
      equal((await gateStatement(text, "notes")).writes, writes, text)
  })
})
