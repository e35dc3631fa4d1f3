CREATE TABLE agents.agents (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  agent_key text NOT NULL,
  display_name text NOT NULL DEFAULT '',
  owner_id text NOT NULL,
  agent_type text NOT NULL DEFAULT 'open' CHECK (agent_type IN ('open', 'predefined')),
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'summoning', 'summon_failed')),
  is_default boolean NOT NULL DEFAULT false,
  provider text NOT NULL DEFAULT '', -- empty: the tenant's default
  model text NOT NULL DEFAULT '',
  system_prompt text NOT NULL DEFAULT '',
  description text NOT NULL DEFAULT '',
  frontmatter text NOT NULL DEFAULT '',
  emoji text NOT NULL DEFAULT '',
  avatar text NOT NULL DEFAULT '',
  thinking_level text NOT NULL DEFAULT '',
  workspace text NOT NULL,
  context_window integer NOT NULL DEFAULT 200000,
  max_tool_iterations integer NOT NULL DEFAULT 30,
  max_tokens integer NOT NULL DEFAULT 0, -- 0: the provider's own limit
  skill_nudge_interval integer NOT NULL DEFAULT 15,
  self_evolve boolean NOT NULL DEFAULT false,
  skill_evolve boolean NOT NULL DEFAULT false,
  budget_monthly_cents integer,
  configs jsonb NOT NULL DEFAULT '{}', -- objects of the wire by their names: tools_config, other_config, ...
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, agent_key)
);
SELECT kernel.protect('agents.agents');

CREATE TABLE agents.shares (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  agent_id uuid NOT NULL REFERENCES agents.agents ON DELETE CASCADE,
  user_id text NOT NULL CHECK (length(user_id) BETWEEN 1 AND 255),
  role text NOT NULL DEFAULT 'user',
  granted_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, agent_id, user_id)
);
SELECT kernel.protect('agents.shares');
