import type { Complaint, ComplaintReader } from "@plugboard/sdk"

interface WireError {
  code?: number
  status?: string
  message?: string
  details?: { "@type"?: string; reason?: string; retryDelay?: string }[]
}

/** Google's error object. Source: the public API reference, "Troubleshooting", and google.rpc.Status. */
export const complaints: ComplaintReader = {
  complaintIn(value) {
    // A stream that fails at once may answer with a list.
    const { error } = (Array.isArray(value) ? (value[0] ?? {}) : value) as { error?: WireError | null }
    return error ? complaintOf(error) : undefined
  },
  nameOf({ code = "", message = "" }) {
    if (/token count.*exceeds the maximum/i.test(message)) return "provider_context_length"
    // A wrong key is an INVALID_ARGUMENT, with a 400.
    if (/API_KEY_INVALID/.test(code) || /^API key (not valid|expired)/i.test(message)) return "provider_auth"
    if (code === "BLOCKED") return "provider_content_filter"
    return code === "MALFORMED" ? "provider_broken_stream" : undefined
  },
}

function complaintOf({ code, status, message, details = [] }: WireError): Complaint {
  const delay = details.find((detail) => detail["@type"]?.endsWith("google.rpc.RetryInfo"))?.retryDelay
  const seconds = delay === undefined ? 0 : Number.parseFloat(delay)
  return {
    message,
    code: [status, ...details.map(({ reason }) => reason)].filter(Boolean).join(" "),
    ...(code !== undefined && { status: code }),
    ...(seconds > 0 && { retryAfterMs: seconds * 1_000 }),
  }
}
