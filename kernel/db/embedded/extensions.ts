import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm"
import { unaccent } from "@electric-sql/pglite/contrib/unaccent"
import { vector } from "@electric-sql/pglite-pgvector"

/** What a migration may create with CREATE EXTENSION. pgcrypto is left out: it costs each start 0.1 s, and PostgreSQL itself has gen_random_uuid and sha256. */
export const extensions = { vector, pg_trgm, unaccent }
