import { createDriverFactory, type DriverCommand, type DriverFactory } from "@slonik/driver"
import {
  CheckIntegrityConstraintViolationError,
  ForeignKeyIntegrityConstraintViolationError,
  InvalidInputError,
  NotNullIntegrityConstraintViolationError,
  UniqueIntegrityConstraintViolationError,
} from "slonik"
import { Readable } from "node:stream"
import { scriptName } from "../binding.ts"
import type { DatabaseThread } from "./thread.ts"

const commands = new Set<string>(["COPY", "DELETE", "INSERT", "SELECT", "UPDATE"])

/** slonik on the embedded database. There is one connection; when its thread is replaced, slonik is told that the connection has broken. */
export function embeddedDriver(thread: DatabaseThread): DriverFactory {
  return createDriverFactory(async () => ({
    createPoolClient: async ({ clientEventEmitter }) => {
      const leave = thread.onLoss(() => clientEventEmitter.emit("error", new Error("database worker ended")))
      return {
        connect: async () => undefined,
        end: async () => {
          leave()
        },
        query: async (text, values, queryOptions) => {
          try {
            const { rows, fields, affected } = await thread.ask(text, values as unknown[] | undefined, queryOptions?.name === scriptName)
            const word = text.trimStart().slice(0, 6).toUpperCase()
            return {
              command: (commands.has(word) ? word : "SELECT") as DriverCommand,
              fields: fields.map(({ name, dataTypeID }) => ({ name, dataTypeId: dataTypeID })),
              rowCount: affected,
              rows,
            }
          } catch (error) {
            throw asSlonikError(error as Error & { code?: string })
          }
        },
        stream: () => Readable.from([]) as never,
      }
    },
  }))
}

/** The errors that code looks at have slonik's classes on both databases. Source: SQLSTATE class 23 and 22P02. */
function asSlonikError(error: Error & { code?: string }): Error {
  switch (error.code) {
    case "23505":
      return new UniqueIntegrityConstraintViolationError(error)
    case "23503":
      return new ForeignKeyIntegrityConstraintViolationError(error)
    case "23502":
      return new NotNullIntegrityConstraintViolationError(error)
    case "23514":
      return new CheckIntegrityConstraintViolationError(error)
    case "22P02":
      return new InvalidInputError(error.message)
    default:
      return error
  }
}
