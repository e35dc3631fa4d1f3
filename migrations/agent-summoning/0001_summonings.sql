-- Summonings under way. One that is removed is over, whatever its model still says.
CREATE TABLE agent_summoning.summonings (
  id uuid NOT NULL,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  agent_id uuid NOT NULL,
  wish text NOT NULL DEFAULT '', -- what is to become of the files; empty: what the agent's description says
  node text NOT NULL,
  boot text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, agent_id)
);
SELECT kernel.protect('agent_summoning.summonings');
