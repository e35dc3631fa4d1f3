import type { Complaint, ComplaintReader } from "@plugboard/sdk"

/** What stands under `error`, or instead of it. */
interface WireError {
  message?: string
  type?: string
  code?: string | number | null
}
interface WireBody extends WireError {
  error?: WireError | string | null
  /** FastAPI's: a text, or what does not fit. */
  detail?: string | { msg?: string }[]
  object?: string
}

/** OpenAI's error object, and the shapes that its kin have instead: a text under `error` (xAI, Ollama), the object itself (Mistral, Cohere), `detail` (Mistral). */
export const complaints: ComplaintReader = {
  complaintIn(value) {
    const body = value as WireBody
    if (typeof body.error === "string") return { message: body.error, code: String(body.code ?? "") }
    if (body.error) return complaintOf(body.error)
    if (body.detail) return { message: typeof body.detail === "string" ? body.detail : body.detail[0]?.msg }
    return typeof body.message === "string" ? complaintOf(body) : undefined
  },
  nameOf({ code = "", message = "", status }) {
    if (
      /context_length|max.*tokens.*exceed/i.test(code) ||
      /maximum context length|context (length|window) exceeded|prompt is too long|too large for model with \d+ maximum/i.test(message)
    )
      return "provider_context_length"
    if (/content_filter|content_policy|data_inspection_failed/i.test(code)) return "provider_content_filter"
    // Groq refuses with a 413 what is more than the rest of the minute allows, and with a 498 what it has no room for.
    if (status === 413 && /rate_limit_exceeded/i.test(code)) return "provider_rate_limited"
    if (status === 498) return "provider_overloaded"
    // Some say in a 400 that the key is wrong.
    if (status === 400 && (/invalid_api_key|authentication_error/i.test(code) || /^(incorrect|invalid) api key/i.test(message))) return "provider_auth"
    return undefined
  },
}

function complaintOf({ message, type, code }: WireError): Complaint {
  const status = Number(code)
  return { message, code: `${code ?? ""} ${type ?? ""}`, ...(status >= 400 && status < 600 && { status }) }
}
