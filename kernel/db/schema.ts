/** The schema of a plugin's tables. */
export function schemaOf(id: string): string {
  return id.replaceAll("-", "_")
}
