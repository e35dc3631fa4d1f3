import { type Caller, type Host, jsonText, type Queries, row, type SseFrame, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { manifest } from "./manifest.ts"

const everyMs = 100
const rowsAtOnce = 200
/** Characters that wait while the database does not answer; then a stream can only be rejoined on its own node. */
const most = 1 << 20
const Nothing = row(Type.Object({}))
const Stored = row(Type.Object({ first: Type.Integer(), frames: Type.String(), ending: Type.Union([Type.String(), Type.Null()]) }))

/** A stream that is written down while it goes on. */
interface Followed {
  caller: Caller
  runId: string
  /** Number of the first that waits. */
  first: number
  waiting: string[]
  size: number
  ending: "whole" | "broken" | null
}

/** Writes down what numbered streams say, in batches, for clients that come back to another node. */
export function createStoredStreams(host: Host<typeof manifest>) {
  const followed = new Set<Followed>()
  let timer: NodeJS.Timeout | undefined
  /** One write at a time: the next begins behind what this one takes. */
  let writing: Promise<void> | undefined

  async function write(): Promise<void> {
    const due = [...followed].filter(isDue)
    for (const streams of Map.groupBy(due, ({ caller }) => caller.tenantId).values()) {
      const rows = streams.map(rowOf)
      await insertFrames(host.db.for((streams[0] as Followed).caller), rows)
      for (const [at, stream] of streams.entries()) {
        const written = rows[at] as ReturnType<typeof rowOf>
        stream.waiting.splice(0, written.count)
        stream.first += written.count
        stream.size = stream.waiting.reduce((sum, text) => sum + text.length, 0)
        if (written.ending !== null) followed.delete(stream)
      }
    }
  }

  function arm(): void {
    timer ??= setTimeout(() => {
      timer = undefined
      writing ??= write()
        .catch((err: unknown) => host.log.debug({ err }, "streams not stored yet"))
        .finally(() => {
          writing = undefined
          if ([...followed].some(isDue)) arm()
        })
    }, everyMs)
    timer.unref()
  }

  async function follow(stream: Followed, frames: AsyncIterable<readonly SseFrame[]>): Promise<void> {
    try {
      for await (const batch of frames) {
        for (const { data } of batch) {
          stream.waiting.push(String(data))
          stream.size += String(data).length
        }
        if (stream.size > most) return void followed.delete(stream)
        arm()
      }
      stream.ending = "whole"
    } catch {
      stream.ending = "broken"
    }
    arm()
  }

  return {
    /** Resolves once other nodes know of the stream, with nothing in it yet; or when the database does not answer, for then they cannot. */
    async follow(caller: Caller, runId: string, frames: AsyncIterable<readonly SseFrame[]>): Promise<void> {
      const stream: Followed = { caller, runId, first: 0, waiting: [], size: 0, ending: null }
      await insertFrames(host.db.for(caller), [rowOf(stream)]).catch((err: unknown) => host.log.debug({ err }, "stream not stored yet"))
      followed.add(stream)
      void follow(stream, frames)
    },
    /** What is known of that user's stream behind the frame of that number; null when nothing is. */
    async read(caller: Caller, runId: string, after: number): Promise<{ frames: string[]; ending: string | null } | null> {
      const rows = await framesFrom(host.db.for(caller), runId, caller.userId, after + 1)
      if (rows.length === 0) return null
      const texts = rows.flatMap(({ first, frames }) => (JSON.parse(frames) as string[]).slice(Math.max(0, after + 1 - first)))
      return { frames: texts, ending: rows.at(-1)?.ending ?? null }
    },
    async drop(caller: Caller, runId: string): Promise<void> {
      await host.db.for(caller).query(sql.type(Nothing)`DELETE FROM chat.stream_frames WHERE run_id = ${runId}`)
    },
    async stop(): Promise<void> {
      clearTimeout(timer)
      await writing
      await write().catch(() => undefined)
    },
  }
}

function rowOf({ runId, caller, first, waiting, ending }: Followed) {
  return { run_id: runId, user_id: caller.userId, first, count: waiting.length, frames: JSON.stringify(waiting), ending }
}

function isDue({ waiting, ending }: Followed): boolean {
  return waiting.length > 0 || ending !== null
}

async function insertFrames(db: Queries, rows: readonly object[]): Promise<void> {
  await db.query(sql.type(Nothing)`
    INSERT INTO chat.stream_frames (run_id, user_id, first, count, frames, ending)
    SELECT run_id, user_id, first, count, frames, ending
    FROM jsonb_to_recordset(${jsonText(rows)}::jsonb) AS r(run_id uuid, user_id text, first integer, count integer, frames text, ending text)
    ON CONFLICT (run_id, first) DO UPDATE SET count = excluded.count, frames = excluded.frames, ending = excluded.ending`)
}

/** The last row comes along in any case: it says whether there will be more. */
function framesFrom(db: Queries, runId: string, userId: string, from: number) {
  return db.any(sql.type(Stored)`
    SELECT first, frames, ending FROM chat.stream_frames
    WHERE run_id = ${runId} AND user_id = ${userId} AND (first + count > ${from} OR first = (SELECT max(first) FROM chat.stream_frames WHERE run_id = ${runId}))
    ORDER BY first LIMIT ${rowsAtOnce}`)
}
