/** What agents have of these when nothing else is said. Source: wire contract, websocket 4.12. */
export const defaults = {
  agents: {
    contextPruning: {
      ttl: "5m",
      keepLastAssistants: 3,
      softTrimRatio: 0.25,
      hardClearRatio: 0.5,
      minPrunableToolChars: 50_000,
      softTrim: { maxChars: 6_000, headChars: 3_000, tailChars: 3_000 },
      hardClear: { enabled: true, placeholder: "[The result of an earlier tool call was left out.]" },
    },
    subagents: { maxConcurrent: 8, maxSpawnDepth: 1, maxChildrenPerAgent: 5, archiveAfterMinutes: 60, maxRetries: 2 },
  },
}
