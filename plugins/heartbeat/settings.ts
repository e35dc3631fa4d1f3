import type { HeartbeatRow } from "./store.ts"

/** What can be set of a heartbeat. */
export type Settings = Pick<
  HeartbeatRow,
  | "enabled"
  | "interval_sec"
  | "prompt"
  | "provider_name"
  | "model"
  | "isolated_session"
  | "light_context"
  | "ack_max_chars"
  | "max_retries"
  | "active_hours_start"
  | "active_hours_end"
  | "timezone"
  | "channel"
  | "chat_id"
>

/** As clients send it; what is left out stays. */
export interface Change {
  enabled?: boolean
  intervalSec?: number
  prompt?: string
  providerName?: string
  model?: string
  isolatedSession?: boolean
  lightContext?: boolean
  ackMaxChars?: number
  maxRetries?: number
  activeHoursStart?: string
  activeHoursEnd?: string
  timezone?: string
  channel?: string
  chatId?: string
}

/** Source: wire contract, websocket 4.18. */
const usual: Settings = {
  enabled: true,
  interval_sec: 1_800,
  prompt: "",
  provider_name: "",
  model: "",
  isolated_session: true,
  light_context: false,
  ack_max_chars: 300,
  max_retries: 2,
  active_hours_start: "",
  active_hours_end: "",
  timezone: "",
  channel: "",
  chat_id: "",
}

export function changed(change: Change, before: Settings = usual): Settings {
  return {
    enabled: change.enabled ?? before.enabled,
    interval_sec: change.intervalSec ?? before.interval_sec,
    prompt: change.prompt ?? before.prompt,
    provider_name: change.providerName ?? before.provider_name,
    model: change.model ?? before.model,
    isolated_session: change.isolatedSession ?? before.isolated_session,
    light_context: change.lightContext ?? before.light_context,
    ack_max_chars: change.ackMaxChars ?? before.ack_max_chars,
    max_retries: change.maxRetries ?? before.max_retries,
    active_hours_start: change.activeHoursStart ?? before.active_hours_start,
    active_hours_end: change.activeHoursEnd ?? before.active_hours_end,
    timezone: change.timezone ?? before.timezone,
    channel: change.channel ?? before.channel,
    chat_id: change.chatId ?? before.chat_id,
  }
}

/** True when what is written leaves the time of the next beat alone. */
export function keepsTime(before: Settings, after: Settings): boolean {
  return (["enabled", "interval_sec", "active_hours_start", "active_hours_end", "timezone"] as const).every((name) => before[name] === after[name])
}

export const hoursOf = ({ active_hours_start, active_hours_end, timezone }: Settings) => ({ start: active_hours_start, end: active_hours_end, timezone })
