import { type Caller, hasRole, type LogBatch, type LogFilter, type LogLevel, type LogLine, type LogsService, logLevels } from "@plugboard/sdk"
import { mayChangeAll } from "../packages/powers.ts"
import { type LogLines, levels } from "./log-lines.ts"

/** Lines that wait for one reader; the oldest make room. */
const mostWaiting = 500

/** The log as a service. Nothing here writes to it. */
export function createLogsService({ lines }: { lines: LogLines }): LogsService {
  const recent = (fits: Fits, last: number) => (last > 0 ? lines.recent.map(parsed).filter(fits).slice(-last) : [])
  return {
    recent: async (caller, filter) => recent(fitting(caller, filter), filter.last),
    async *tail(caller, filter, signal): AsyncGenerator<LogBatch> {
      const fits = fitting(caller, filter)
      let waiting: LogLine[] = []
      let missed = 0
      let wake = () => {}
      const leave = lines.read(filter.level, (text) => {
        const line = parsed(text)
        if (!fits(line)) return
        if (waiting.push(line) > mostWaiting) {
          waiting.shift()
          missed += 1
        }
        wake()
      })
      const end = () => wake()
      signal.addEventListener("abort", end)
      try {
        yield { lines: recent(fits, filter.last), missed: 0 }
        while (!signal.aborted) {
          if (waiting.length > 0) {
            const batch = { lines: waiting, missed }
            waiting = []
            missed = 0
            yield batch
          } else
            await new Promise<void>((resolve) => {
              wake = resolve
            })
        }
      } finally {
        leave()
        signal.removeEventListener("abort", end)
      }
    },
  }
}

type Fits = (line: LogLine) => boolean

/** A line that names no tenant is about the gateway, and about all who use it: only those see it who may change that. */
function fitting(caller: Caller, { level, agent }: LogFilter): Fits {
  const all = mayChangeAll(caller)
  const own = hasRole(caller, "admin") ? caller.tenantId : null
  return (line) => {
    if (levels[line.level] < levels[level]) return false
    if (agent !== undefined) return line.agent === agent && line.tenant === caller.tenantId && own !== null
    return all || (own !== null && line.tenant === own)
  }
}

function parsed(text: string): LogLine {
  const { level, time, msg, plugin, tenant, agent, ...fields } = JSON.parse(text) as Record<string, unknown>
  return {
    at: Date.parse(time as string),
    level: nameOf(level as number),
    message: typeof msg === "string" ? msg : "",
    source: typeof plugin === "string" ? plugin : "gateway",
    ...(typeof tenant === "string" && { tenant }),
    ...(typeof agent === "string" && { agent }),
    fields,
  }
}

function nameOf(level: number): LogLevel {
  return logLevels.find((name) => levels[name] === level) ?? "info"
}
