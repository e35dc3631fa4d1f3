import type { ComplaintReader, ProviderErrorName } from "@plugboard/sdk"

interface WireBody {
  error?: { type?: string; message?: string; details?: { error_code?: string } | null } | null
}

/** Types that an error has also where there is no status, as in mid-stream. Source: the public API reference, "Errors". */
const names: Readonly<Record<string, ProviderErrorName>> = {
  authentication_error: "provider_auth",
  permission_error: "provider_auth",
  not_found_error: "provider_not_found",
  rate_limit_error: "provider_rate_limited",
  timeout_error: "provider_timeout",
  api_error: "provider_overloaded",
  overloaded_error: "provider_overloaded",
}

export const complaints: ComplaintReader = {
  complaintIn(value) {
    const { error } = value as WireBody
    return error ? { code: error.type, message: error.message } : undefined
  },
  nameOf({ code = "", message = "" }) {
    // Both are an invalid_request_error, told apart by their words alone.
    if (/prompt is too long|exceeds? (the )?context (limit|window)|input length and .*max_tokens.* exceed/i.test(message)) return "provider_context_length"
    if (/content filtering policy/i.test(message)) return "provider_content_filter"
    return names[code]
  },
}
