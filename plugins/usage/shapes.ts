import { Type } from "typebox"

// What clients read. Every number is always there: dashboards call methods on them. Source: wire contract, http-observability 2 and 3, websocket 4.11.

const Count = Type.Integer()
const Usd = Type.Number({ description: "USD; requests whose cost nobody knows count nothing." })
const tokens = { input_tokens: Count, output_tokens: Count, cache_read_tokens: Count, cache_create_tokens: Count }
const calls = { request_count: Count, llm_call_count: Count, tool_call_count: Count, error_count: Count, avg_duration_ms: Count }

const Point = Type.Object({
  bucket_time: Type.String({ format: "date-time" }),
  ...tokens,
  thinking_tokens: Count,
  total_cost: Usd,
  ...calls,
  unique_users: Count,
  memory_docs: Count,
  memory_chunks: Count,
  kg_entities: Count,
  kg_relations: Count,
})
export const TimeSeries = Type.Object({
  points: Type.Array(Point),
  payload: Type.Optional(Type.Array(Type.Object({ ...Point.properties, period: Type.String(), tokens_in: Count, tokens_out: Count, requests: Count }))),
})

const Share = Type.Object({ key: Type.String({ description: "A provider, model, channel, agent or day; empty for calls without one." }), ...tokens, total_cost: Usd, ...calls })
export const Breakdown = Type.Object({
  rows: Type.Array(Share),
  payload: Type.Optional(Type.Array(Type.Object({ ...Share.properties, group: Type.String(), tokens_in: Count, tokens_out: Count, cost: Type.Number() }))),
})

export const Nine = Type.Object({
  requests: Count,
  input_tokens: Count,
  output_tokens: Count,
  cost: Usd,
  unique_users: Count,
  errors: Count,
  llm_calls: Count,
  tool_calls: Count,
  avg_duration_ms: Count,
})
export const Summary = Type.Object({ current: Nine, previous: Nine })

export const Costs = Type.Object({
  rows: Type.Array(
    Type.Object({
      agent_id: Type.Optional(Type.String({ description: "Left out for calls of providers without an agent." })),
      total_cost: Usd,
      total_input_tokens: Count,
      total_output_tokens: Count,
      trace_count: Count,
    }),
  ),
})

const used = { model: Type.String(), provider: Type.String() }
const Record_ = Type.Object({
  agentId: Type.String({ description: "Its key." }),
  sessionKey: Type.String(),
  ...used,
  inputTokens: Count,
  outputTokens: Count,
  totalTokens: Count,
  timestamp: Type.Integer({ description: "Epoch ms of the session's last change." }),
})
const Page = { total: Count, limit: Count, offset: Count }
export const Records = Type.Object({ records: Type.Array(Record_), ...Page })
export const Detail = Type.Object({
  records: Type.Array(Record_),
  ...Page,
  payload: Type.Optional(
    Type.Array(
      Type.Object({ agent_id: Type.String(), session_key: Type.String(), ...used, input_tokens: Count, output_tokens: Count, total_tokens: Count, timestamp: Type.Integer() }),
    ),
  ),
})
export const ByAgent = Type.Object({
  byAgent: Type.Record(Type.String(), Type.Object({ inputTokens: Count, outputTokens: Count, totalTokens: Count, sessions: Count })),
  totalRecords: Count,
})

const OfLimit = Type.Object({ used: Count, limit: Type.Integer({ description: "0: unlimited." }) })
export const Quotas = Type.Object({
  enabled: Type.Boolean(),
  requestsToday: Count,
  inputTokensToday: Count,
  outputTokensToday: Count,
  costToday: Usd,
  uniqueUsersToday: Count,
  entries: Type.Array(Type.Object({ userId: Type.String(), hour: OfLimit, day: OfLimit, week: OfLimit })),
})
