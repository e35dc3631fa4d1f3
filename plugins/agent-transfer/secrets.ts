const secretName = /(^|_|-)(api_?key|token|secret|password|passwd|credential|authorization|cookie|private_?key|dsn)s?$/i

/** The value without members that are named like a secret; texts under such names only. */
export function withoutSecrets(value: unknown, depth = 0): unknown {
  if (typeof value !== "object" || value === null || depth > 50) return value
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, depth + 1))
  const kept = Object.entries(value).filter(([name, member]) => typeof member !== "string" || !secretName.test(name.replace(/([a-z])([A-Z])/g, "$1_$2")))
  return Object.fromEntries(kept.map(([name, member]) => [name, withoutSecrets(member, depth + 1)]))
}
