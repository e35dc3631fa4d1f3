import { Type } from "typebox"

export const Config = Type.Object(
  {
    timeoutSeconds: Type.Integer({ default: 900, minimum: 1, maximum: 86_400, description: "Longest run of an agent for a task; then it is ended and the task has failed." }),
    claimSeconds: Type.Integer({ default: 3_600, minimum: 60, maximum: 604_800, description: "A task that an agent has claimed, and says nothing of for so long, is stale." }),
    maxHops: Type.Integer({ default: 10, minimum: 0, maximum: 1_000, description: "Tasks in a row that agents may make of one another's work, without a word of the user's." }),
    maxTeams: Type.Integer({ default: 100, minimum: 1, maximum: 200, description: "Teams of a tenant." }),
    maxMembers: Type.Integer({ default: 50, minimum: 1, maximum: 200, description: "Agents of a team." }),
    maxTasks: Type.Integer({ default: 10_000, minimum: 1, maximum: 1_000_000, description: "Tasks of a team, ended ones included." }),
    maxFiles: Type.Integer({ default: 500, minimum: 1, maximum: 10_000, description: "Files of a team." }),
    workspaceMb: Type.Integer({ default: 20, minimum: 1, maximum: 1_000, description: "Files of a team together, where its settings say nothing." }),
    keepEvents: Type.Integer({ default: 5_000, minimum: 100, maximum: 1_000_000, description: "Entries in a team's history." }),
  },
  { additionalProperties: false },
)
