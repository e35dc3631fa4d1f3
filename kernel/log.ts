import type { Log } from "@plugboard/sdk"
import pino, { type Logger } from "pino"
import { LogLines, levels } from "./records/log-lines.ts"

export interface GatewayLog extends Log {
  child(fields: object): GatewayLog
  /** What was written, by whichever child. */
  readonly lines: LogLines
}

/** Values that must never be written, wherever they turn up. Bounded: the oldest go first. */
export class Redactor {
  /** By whose they are: who has many secrets pushes only older ones of its own out. */
  readonly #values = new Map<string, Set<string>>()
  static readonly #limit = 2_000

  /** Short values are left out: masking `a` would mask every text. */
  add(value: string | undefined, owner = ""): void {
    if (value === undefined || value.length < 8) return
    const own = this.#values.get(owner) ?? new Set()
    this.#values.set(owner, own)
    own.delete(value)
    own.add(value)
    if (own.size > Redactor.#limit) own.delete(own.values().next().value as string)
  }

  clean(text: string): string {
    for (const values of this.#values.values()) for (const value of values) if (text.includes(value)) text = text.replaceAll(value, "***")
    return text
  }
}

const secretNames = [
  "*.apiKey",
  "*.api_key",
  "*.token",
  "*.password",
  "*.authorization",
  "*.cookie",
  "*.secret",
  "apiKey",
  "api_key",
  "token",
  "password",
  "authorization",
  "cookie",
  "secret",
]

/** JSON lines on stdout. Each finished line passes the redactor, so a secret is masked by value and not only by name. */
export function createLog(options: { level: string; redactor: Redactor; write?: (line: string) => void }): GatewayLog {
  const { redactor, write = (line: string) => process.stdout.write(line) } = options
  const lines = new LogLines(options.level)
  const destination = {
    // So that pino says here of which level the line is.
    [Symbol.for("pino.metadata")]: true,
    lastLevel: 0,
    write(line: string) {
      const clean = redactor.clean(line)
      if (lines.took(clean, this.lastLevel)) write(clean)
    },
  }
  const logger = pino(
    { level: "debug", base: null, timestamp: pino.stdTimeFunctions.isoTime, redact: { paths: secretNames, censor: "***" }, serializers: { err: describeError } },
    destination,
  )
  return wrap(logger, lines)
}

function wrap(logger: Logger, lines: LogLines): GatewayLog {
  return {
    debug: (fields, text) => lines.least <= levels.debug && logger.debug(fields, text),
    info: (fields, text) => lines.least <= levels.info && logger.info(fields, text),
    warn: (fields, text) => lines.least <= levels.warn && logger.warn(fields, text),
    error: (fields, text) => lines.least <= levels.error && logger.error(fields, text),
    child: (fields) => wrap(logger.child(fields), lines),
    lines,
  }
}

/** A cause chain in short: no request objects, no headers, which is where libraries keep keys. */
function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return String(error)
  const failure = (error as { failure?: { name: string } }).failure
  return {
    type: failure?.name ?? error.name,
    message: error.message,
    code: (error as { code?: unknown }).code,
    stack: error.stack,
    cause: error.cause !== undefined && depth < 4 ? describeError(error.cause, depth + 1) : undefined,
  }
}
