-- A call of a tool that waits for somebody's word. The row is the truth: the node that holds the run reads it when it is woken, and compares `hash` with what it is about to call.
CREATE TABLE approvals.requests (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  run_id uuid NOT NULL,
  session_key varchar(500) NOT NULL,
  agent_id uuid,
  agent_key text NOT NULL,
  user_id text NOT NULL, -- whose run it is
  tool text NOT NULL,
  risk text NOT NULL,
  arguments text NOT NULL, -- canonical JSON, as it is hashed
  hash text NOT NULL,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'denied', 'expired', 'cancelled')),
  decided_by text,
  reason text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  decided_at timestamptz
);
CREATE INDEX requests_pending ON approvals.requests (tenant_id, created_at, id) WHERE status = 'pending';
CREATE INDEX requests_of_run ON approvals.requests (run_id) WHERE status = 'pending';
SELECT kernel.protect('approvals.requests');

-- Calls that are approved beforehand. `arguments` holds those that must be the same; with `exact` there may be no others.
CREATE TABLE approvals.rules (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  agent_id uuid NOT NULL, -- not its key, which another agent may get
  agent_key text NOT NULL,
  tool text NOT NULL,
  user_id text, -- null: for everybody's runs
  arguments text NOT NULL,
  exact boolean NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX rules_once ON approvals.rules (tenant_id, agent_id, tool, exact, md5(arguments), coalesce(user_id, ''));
CREATE INDEX rules_newest ON approvals.rules (tenant_id, created_at DESC, id DESC);
SELECT kernel.protect('approvals.rules');
