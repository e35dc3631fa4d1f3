CREATE TABLE agent_links.links (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  source_agent_id uuid NOT NULL,
  target_agent_id uuid NOT NULL CHECK (target_agent_id <> source_agent_id),
  direction text NOT NULL CHECK (direction IN ('outbound', 'inbound', 'bidirectional')),
  description text NOT NULL DEFAULT '',
  max_concurrent integer NOT NULL CHECK (max_concurrent BETWEEN 1 AND 1000),
  settings jsonb NOT NULL DEFAULT '{}',
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, source_agent_id, target_agent_id)
);
CREATE INDEX links_of_target ON agent_links.links (tenant_id, target_agent_id);
SELECT kernel.protect('agent_links.links');
