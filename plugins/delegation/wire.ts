import type { DelegationRow } from "./records.ts"

/** Characters of a task that an event carries. */
const taskChars = 500

/** Source: wire contract, http-observability 5. `resultChars`: of the result; all when left out. */
export function wireDelegation(row: DelegationRow, resultChars = Number.POSITIVE_INFINITY) {
  return {
    id: row.id,
    source_agent_id: row.source_agent_id,
    target_agent_id: row.target_agent_id,
    source_agent_key: row.source_agent_key,
    target_agent_key: row.target_agent_key,
    ...(row.team_id !== null && { team_id: row.team_id }),
    ...(row.team_task_id !== null && { team_task_id: row.team_task_id }),
    user_id: row.user_id,
    task: row.task,
    mode: row.mode,
    status: row.status,
    ...(row.result !== null && { result: row.result.slice(0, resultChars) }),
    ...(row.error !== null && { error: row.error }),
    iterations: row.iterations,
    trace_id: row.run_id,
    duration_ms: row.duration_ms,
    metadata: {
      run_id: row.run_id,
      session_key: row.session_key,
      parent_run_id: row.parent_run_id,
      parent_session_key: row.parent_session_key,
      link_id: row.link_id,
      depth: row.chain.length - 1,
    },
    created_at: row.created_at,
    updated_at: row.updated_at,
    ...(row.completed_at !== null && { completed_at: row.completed_at }),
  }
}

/** Source: wire contract, websocket 5.3. */
export function toldDelegation(row: DelegationRow) {
  return {
    delegation_id: row.id,
    source_agent_id: row.source_agent_id,
    source_agent_key: row.source_agent_key,
    source_display_name: row.source_name,
    target_agent_id: row.target_agent_id,
    target_agent_key: row.target_agent_key,
    target_display_name: row.target_name,
    user_id: row.user_id,
    channel: row.parent_channel,
    chat_id: row.parent_chat_id,
    mode: row.mode,
    task: row.task.slice(0, taskChars),
    ...(row.team_id !== null && { team_id: row.team_id }),
    ...(row.team_task_id !== null && { team_task_id: row.team_task_id }),
    status: row.status,
    elapsed_ms: row.duration_ms,
    ...(row.error !== null && { error: row.error }),
    created_at: row.created_at,
  }
}
