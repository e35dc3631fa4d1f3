/**
 * What a plugin checks by itself, with an error of its own, and the documents are to say too: it stands under `documented` in a schema, in the words of OpenAPI 3.0,
 * where the gateway takes it for no rule.
 * @example Type.String({ maxLength: 63, documented: { pattern: "^[a-z0-9-]*$" } satisfies Documented })
 */
export type Documented = Readonly<Record<string, unknown>>

/**
 * At least one of the members is there, and not null.
 * @example Type.Object(Change, { documented: anyGiven("name", "status") })
 */
export function anyGiven(...names: readonly string[]): Documented {
  return { anyOf: names.map(given) }
}

/** Exactly one of the members is there, and not null. */
export function oneGiven(...names: readonly string[]): Documented {
  return { oneOf: names.map(given) }
}

function given(name: string) {
  return { required: [name], properties: { [name]: { not: { enum: [null] } } } }
}
