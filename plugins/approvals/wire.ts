import { shownCommand } from "./command.ts"
import type { RequestRow } from "./requests.ts"
import type { RuleRow } from "./rules.ts"

const ms = (time: string) => Date.parse(time)

/** Source: wire contract, websocket 4.10 and 5.3. */
export function wireRequest(row: RequestRow) {
  return {
    id: row.id,
    command: shownCommand(row.tool, row.arguments),
    agentId: row.agent_key,
    createdAt: ms(row.created_at),
    expiresAt: ms(row.expires_at),
    toolName: row.tool,
    risk: row.risk,
    sessionKey: row.session_key,
    runId: row.run_id,
    userId: row.user_id,
  }
}

/** As today's command-line client lists them. Source: wire contract, websocket 8.2. */
export function cliRequest(row: RequestRow) {
  return { ...wireRequest(row), agent_id: row.agent_key, tool_name: row.tool, status: "pending" }
}

export function wireRule(row: RuleRow) {
  return {
    id: row.id,
    agentId: row.agent_key,
    toolName: row.tool,
    arguments: row.arguments,
    exact: row.exact,
    userId: row.user_id,
    createdBy: row.created_by,
    createdAt: ms(row.created_at),
  }
}
