/** Why a package cannot be used, and what its author or administrator does about it. */
export class PackageError extends Error {
  readonly remedy: string

  constructor(reason: string, remedy: string, cause?: unknown) {
    super(reason, { cause })
    this.remedy = remedy
  }
}
