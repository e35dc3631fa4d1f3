import type pg from "pg"
import { ConfigError } from "../config.ts"

/** How to reach the server that the configuration names. The address is read as `psql` reads it; what it says itself counts first. */
export function serverConfig(uri: string): pg.ClientConfig {
  if (!/^postgres(ql)?:\/\//.test(uri)) throw new ConfigError("DATABASE_URL must begin with postgres://, such as postgres://user:password@host:5432/database.")
  return { connectionString: uri, application_name: "plugboard", connectionTimeoutMillis: 5_000, keepAlive: true }
}
