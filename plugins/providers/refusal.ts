import type { FailureData, ForwardHead, ProviderErrorName } from "@plugboard/sdk"

/** A provider's refusal of a call in its own format, which the client gets as it is when nobody else answers. */
export class Refusal extends Error {
  readonly failure: FailureData
  readonly head: ForwardHead
  readonly body: Uint8Array

  constructor(provider: string, name: ProviderErrorName, head: ForwardHead, body: Uint8Array) {
    const text = Buffer.from(body).toString()
    super(name)
    this.failure = { name: `providers.${name}`, kind: "UPSTREAM_FAILED", params: { provider, reason: reasonIn(text) ?? `status ${head.status}` }, retryAfterMs: head.retryAfterMs }
    this.head = head
    this.body = body
  }

  /** Another provider would refuse it too. */
  get isTheClients(): boolean {
    return this.failure.name === "providers.provider_bad_request"
  }
}

function reasonIn(body: string): string | undefined {
  try {
    return (JSON.parse(body) as { error: { message: string } }).error.message.slice(0, 500)
  } catch {
    return undefined
  }
}
