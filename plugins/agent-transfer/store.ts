import { type Queries, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"

const Archive = row(Type.Object({ file_name: Type.String(), content: Type.Unsafe<Uint8Array>(Type.Any()) }))
const Nothing = row(Type.Object({}))

/** Keeps an archive for its user, and forgets all but the newest two of his besides: they are large. */
export async function keepArchive(db: Queries, archive: { hash: string; userId: string; fileName: string; content: Uint8Array; seconds: number }): Promise<void> {
  await db.query(sql.type(Nothing)`
    DELETE FROM agent_transfer.archives WHERE user_id = ${archive.userId} AND token_hash NOT IN (
      SELECT token_hash FROM agent_transfer.archives WHERE user_id = ${archive.userId} ORDER BY expires_at DESC LIMIT 2)`)
  await db.query(sql.type(Nothing)`
    INSERT INTO agent_transfer.archives (token_hash, user_id, file_name, content, expires_at)
    VALUES (${archive.hash}, ${archive.userId}, ${archive.fileName}, ${sql.binary(Buffer.from(archive.content))}, now() + make_interval(secs => ${archive.seconds}))`)
}

/** Null for one that is another user's, too old, or not there. */
export function findArchive(db: Queries, hash: string, userId: string) {
  return db.maybeOne(sql.type(Archive)`
    SELECT file_name, content FROM agent_transfer.archives WHERE token_hash = ${hash} AND user_id = ${userId} AND expires_at > now()`)
}

export async function pruneArchives(db: Queries): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM agent_transfer.archives WHERE expires_at < now()`)
}
