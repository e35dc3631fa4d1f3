CREATE EXTENSION IF NOT EXISTS vector;

-- Answers to be given again. Whose they are stands in columns, so that no text that somebody chooses can lead to another's.
CREATE TABLE response_cache.entries (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  agent_key text NOT NULL, -- empty: no agent's
  user_id text NOT NULL, -- empty: shared by the users of its agent
  key text NOT NULL, -- hash of all that was asked
  provider text NOT NULL,
  model text NOT NULL,
  answer text NOT NULL, -- JSON; as text, because jsonb refuses some of what models say
  bytes integer NOT NULL,
  saved_tokens integer NOT NULL, -- by each hit
  rest text, -- hash of all but the last question
  embedder text,
  dimensions integer,
  question vector, -- null: found by its key alone
  hits integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  used_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  UNIQUE (tenant_id, agent_key, user_id, key)
);
CREATE INDEX entries_alike ON response_cache.entries (tenant_id, rest, agent_key, user_id) WHERE question IS NOT NULL;
CREATE INDEX entries_used ON response_cache.entries (tenant_id, used_at);
SELECT kernel.protect('response_cache.entries');

-- Whose answers are kept. Without a rule none are.
CREATE TABLE response_cache.rules (
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  subject text NOT NULL, -- agents, agent:KEY, providers or provider:NAME
  enabled boolean NOT NULL,
  ttl_seconds integer NOT NULL,
  shared boolean NOT NULL,
  semantic boolean NOT NULL,
  threshold double precision NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, subject)
);
SELECT kernel.protect('response_cache.rules');

CREATE TABLE response_cache.days (
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  day date NOT NULL,
  agent_key text NOT NULL,
  hits bigint NOT NULL DEFAULT 0,
  semantic_hits bigint NOT NULL DEFAULT 0, -- part of hits
  misses bigint NOT NULL DEFAULT 0,
  saved_tokens bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, day, agent_key)
);
SELECT kernel.protect('response_cache.days');
