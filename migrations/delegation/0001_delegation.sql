-- Work that one agent has handed to another. `run_id` and `announce_run_id` are chosen before their runs begin, so that a run finds the delegation it belongs to.
CREATE TABLE delegation.delegations (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  link_id uuid NOT NULL,
  source_agent_id uuid NOT NULL,
  source_agent_key text NOT NULL,
  source_name text NOT NULL,
  target_agent_id uuid NOT NULL,
  target_agent_key text NOT NULL,
  target_name text NOT NULL,
  team_id uuid, -- for work that a team's task has caused
  team_task_id uuid,
  user_id text NOT NULL,
  user_role text NOT NULL, -- of the user at that time; what is said later to the source agent may do no more
  task text NOT NULL,
  mode text NOT NULL CHECK (mode IN ('sync', 'async')),
  status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'completed', 'failed', 'cancelled')),
  result text,
  error text,
  iterations integer NOT NULL DEFAULT 0,
  run_id uuid NOT NULL,
  session_key varchar(500) NOT NULL,
  parent_run_id uuid NOT NULL,
  parent_session_key varchar(500) NOT NULL,
  parent_channel text NOT NULL,
  parent_chat_id text NOT NULL,
  chain uuid[] NOT NULL, -- agents from the one that a user has asked to the target
  round integer NOT NULL, -- announcements before it, each of which led to the next
  announce_run_id uuid, -- null for sync
  announced_at timestamptz, -- told to the source agent, or never to be
  expires_at timestamptz NOT NULL, -- nobody waits for it any longer than that
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz
);
CREATE UNIQUE INDEX delegations_run ON delegation.delegations (run_id);
CREATE UNIQUE INDEX delegations_announce ON delegation.delegations (announce_run_id) WHERE announce_run_id IS NOT NULL;
CREATE INDEX delegations_newest ON delegation.delegations (tenant_id, created_at DESC, id DESC);
CREATE INDEX delegations_of_user ON delegation.delegations (tenant_id, user_id, created_at DESC, id DESC);
CREATE INDEX delegations_running ON delegation.delegations (link_id) WHERE status = 'running';
CREATE INDEX delegations_of_parent ON delegation.delegations (parent_run_id) WHERE status = 'running';
SELECT kernel.protect('delegation.delegations');
