// What today's command-line client sends and reads. Source: wire contract, websocket 8.1 and 8.2.

/** Its words for the states of tasks. */
const statuses: Readonly<Record<string, readonly string[]>> = {
  open: ["pending", "blocked"],
  assigned: ["in_progress"],
  approved: ["completed"],
  rejected: ["cancelled"],
  active: ["pending", "in_progress", "blocked", "failed", "in_review", "stale"],
  completed: ["completed", "cancelled"],
}

/** States that a filter means; empty: all. */
export function statusesOf(filter = ""): readonly string[] {
  return filter === "" || filter === "all" ? [] : (statuses[filter] ?? [filter])
}

export function cliTask<T extends { subject: string; owner_agent_key?: string; owner_agent_id?: string }>(task: T) {
  return { ...task, title: task.subject, assignee_id: task.owner_agent_key ?? task.owner_agent_id ?? "" }
}
