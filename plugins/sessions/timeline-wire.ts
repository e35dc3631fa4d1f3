import { Type } from "typebox"

const Text = Type.String()
const MaybeText = Type.Optional(Text)

/** Source: wire contract, websocket 4.4. */
export const TimelineItem = Type.Object({
  id: Text,
  tenant_id: Text,
  run_id: Text,
  session_key: Text,
  agent_id: MaybeText,
  user_id: MaybeText,
  channel: MaybeText,
  chat_id: MaybeText,
  seq: Type.Integer(),
  item_type: Type.Enum(["run.status", "activity", "assistant.message", "tool.call", "tool.result"]),
  status: Type.Enum(["started", "running", "completed", "failed", "cancelled"]),
  title: Text,
  preview: Type.String({ description: "2,000 characters at most." }),
  content: Type.Optional(Type.String({ description: "When the preview is not all of it; 10,000 characters at most." })),
  tool_name: MaybeText,
  tool_call_id: MaybeText,
  metadata: Type.Record(Text, Type.Unknown()),
  created_at: Type.String({ format: "date-time" }),
})

export const TimelinePage = { limit: Type.Integer(), offset: Type.Integer(), items: Type.Array(TimelineItem) }
