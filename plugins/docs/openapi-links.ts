import type { Json } from "./openapi-schema.ts"

interface Operation {
  operationId: string
  responses: Record<string, { content?: Record<string, { schema: Json }>; links?: Json }>
}

/** Adds to each POST that answers with an `id` how to go on with what it made: the operations on `{…}` right behind its path. */
export function linksFrom(paths: Record<string, Json>): Record<string, Json> {
  for (const [path, verbs] of Object.entries(paths)) {
    const made = Object.values((verbs.post as Operation | undefined)?.responses ?? {}).find(answersId)
    if (!made) continue
    const next = Object.entries(paths).flatMap(([other, operations]) => {
      const name = other.startsWith(`${path}/{`) ? /^\{(\w+)\}/.exec(other.slice(path.length + 1))?.[1] : undefined
      return name === undefined
        ? []
        : (Object.values(operations) as Operation[]).map(({ operationId }) => [operationId, { operationId, parameters: { [name]: "$response.body#/id" } }])
    })
    if (next.length > 0) made.links = Object.fromEntries(next)
  }
  return paths
}

function answersId({ content }: Operation["responses"][string]): boolean {
  return ((content?.["application/json"]?.schema.properties ?? {}) as Json).id !== undefined
}
