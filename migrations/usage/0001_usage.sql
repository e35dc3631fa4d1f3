-- What was used, added up by the hour, so that reports over months read few rows, and still know of what was removed since.
CREATE TABLE usage.hours (
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  hour timestamptz NOT NULL, -- its beginning
  agent_key text NOT NULL, -- empty for calls that no agent made
  agent_id text, -- null when the agent was gone before its hour was added up
  user_id text NOT NULL,
  channel text NOT NULL,
  provider text NOT NULL,
  model text NOT NULL,
  requests bigint NOT NULL,
  errors bigint NOT NULL,
  input_tokens bigint NOT NULL,
  output_tokens bigint NOT NULL,
  cache_read_tokens bigint NOT NULL,
  cache_write_tokens bigint NOT NULL,
  thinking_tokens bigint NOT NULL,
  llm_calls bigint NOT NULL,
  tool_calls bigint NOT NULL,
  cost_nano_usd bigint NOT NULL,
  unpriced bigint NOT NULL, -- requests whose cost nobody knows
  duration_ms bigint NOT NULL,
  PRIMARY KEY (tenant_id, hour, agent_key, user_id, channel, provider, model)
);
SELECT kernel.protect('usage.hours');

-- Up to where a tenant's hours are added up. Whoever moves the mark writes the hours in the same transaction, so each is written once.
CREATE TABLE usage.progress (
  tenant_id uuid PRIMARY KEY DEFAULT kernel.bound_tenant(),
  up_to timestamptz NOT NULL
);
SELECT kernel.protect('usage.progress');
