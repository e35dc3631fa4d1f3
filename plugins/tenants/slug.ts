/** Source: wire contract, http-core 1.5. What looks like an id would be taken for one. */
export const slugPattern = "^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
const slug = new RegExp(slugPattern)
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export function isSlug(text: string): boolean {
  return slug.test(text) && !uuid.test(text)
}

/** Empty when the name has no letter or digit of ASCII in it. */
export function slugOf(name: string): string {
  return name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/\p{Mark}/gu, "")
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "")
}
