import { type AnswerReader, type Delta, effortOf, type OpenAiDialect, type ProviderFailures, type ProviderHost, type ProviderProtocol, withInlineImages } from "@plugboard/sdk"
import { complaints } from "./complaints.ts"
import { readAnswer, requestBody, type WireAnswer } from "./wire.ts"

/** OpenAI's chat completions as one of its kin speaks them. */
export function chatCompletions(host: ProviderHost, failures: ProviderFailures, dialect: OpenAiDialect): ProviderProtocol {
  return {
    endMark: "[DONE]",
    async ask(connection, request, signal) {
      const { apiKey } = connection
      const baseUrl = addressOf(connection.baseUrl, dialect)
      const asked = dialect.inlineImages ? await withInlineImages(host, failures, connection, request, signal) : request
      return {
        url: `${baseUrl}/chat/completions`,
        headers: { ...(apiKey !== "" && { authorization: `Bearer ${apiKey}` }) },
        body: requestBody(asked, { baseUrl, dialect, effort: effortOf(request, connection) }),
      }
    },
    reader: () => reader,
  }
}

/** The address with the path that the type knows it by: `http://localhost:11434` is `http://localhost:11434/v1` to Ollama. */
export function addressOf(baseUrl: string, { basePath = "" }: OpenAiDialect): string {
  const base = baseUrl.replace(/\/+$/, "")
  return base.endsWith(basePath) ? base : base + basePath
}

/** Keeps nothing from one event to the next, so one serves all answers. */
const reader: AnswerReader = {
  event(value, out) {
    const answer = value as WireAnswer
    return answer.error ? complaints.complaintIn(value) : readAnswer(answer, out)
  },
  whole(value, out) {
    const answer = value as WireAnswer
    if (!answer.choices?.length) return complaints.complaintIn(value)
    const complaint = readAnswer(answer, out)
    if (!complaint && !out.some(({ type }: Delta) => type === "finish")) out.push({ type: "finish", reason: "stop" })
    return complaint
  },
}
