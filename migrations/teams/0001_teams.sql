CREATE TABLE teams.teams (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  lead_agent_id uuid NOT NULL, -- stays when that agent is gone; the team is archived then
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'archived')),
  settings jsonb NOT NULL DEFAULT '{}',
  created_by text NOT NULL,
  last_number integer NOT NULL DEFAULT 0, -- of its tasks
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX teams_newest ON teams.teams (tenant_id, created_at DESC, id DESC);
SELECT kernel.protect('teams.teams');

CREATE TABLE teams.members (
  team_id uuid NOT NULL REFERENCES teams.teams ON DELETE CASCADE,
  agent_id uuid NOT NULL,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  role text NOT NULL CHECK (role IN ('lead', 'member', 'reviewer')),
  joined_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (team_id, agent_id)
);
CREATE INDEX members_of_agent ON teams.members (tenant_id, agent_id);
SELECT kernel.protect('teams.members');

-- Every write to a team's tasks holds the row of its team: numbers, claims, blockers and circles need no more than that to be right on all nodes.
CREATE TABLE teams.tasks (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  team_id uuid NOT NULL REFERENCES teams.teams ON DELETE CASCADE,
  task_number integer NOT NULL,
  subject text NOT NULL,
  description text NOT NULL DEFAULT '',
  status text NOT NULL CHECK (status IN ('pending', 'in_progress', 'completed', 'blocked', 'failed', 'in_review', 'cancelled', 'stale')),
  task_type text NOT NULL,
  priority integer NOT NULL DEFAULT 0,
  owner_agent_id uuid,
  created_by_agent_id uuid,
  blocked_by uuid[] NOT NULL DEFAULT '{}',
  parent_id uuid,
  result text, -- or why it failed, was rejected or cancelled
  user_id text NOT NULL,
  user_role text NOT NULL, -- at that time; what is said later to the agent that made it may do no more
  channel text NOT NULL,
  chat_id text NOT NULL,
  session_key varchar(500), -- of the conversation in which an agent has made it
  progress_percent integer,
  progress_step text,
  comment_count integer NOT NULL DEFAULT 0,
  attachment_count integer NOT NULL DEFAULT 0,
  locked_at timestamptz,
  lock_expires_at timestamptz, -- in progress: what has not ended by then is lost
  runs_as text, -- user and role of the one who has assigned it: the agent's run may do no more
  runs_as_role text,
  dispatches integer NOT NULL DEFAULT 0,
  run_id uuid, -- of the latest dispatch; null for work that an agent has claimed
  work_session_key varchar(500),
  hops integer NOT NULL DEFAULT 0, -- tasks before it that led to it without a word of a user's
  announce_run_id uuid, -- in which the agent that made it is told of its end; null when nobody waits
  announced_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (team_id, task_number)
);
CREATE INDEX tasks_newest ON teams.tasks (team_id, created_at DESC, id DESC);
CREATE INDEX tasks_of_session ON teams.tasks (tenant_id, session_key) WHERE session_key IS NOT NULL;
CREATE INDEX tasks_worked_in_session ON teams.tasks (tenant_id, work_session_key) WHERE work_session_key IS NOT NULL;
CREATE UNIQUE INDEX tasks_run ON teams.tasks (run_id) WHERE run_id IS NOT NULL;
CREATE UNIQUE INDEX tasks_announce ON teams.tasks (announce_run_id) WHERE announce_run_id IS NOT NULL;
CREATE INDEX tasks_in_progress ON teams.tasks (tenant_id, lock_expires_at) WHERE status = 'in_progress';
SELECT kernel.protect('teams.tasks');

CREATE TABLE teams.comments (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  task_id uuid NOT NULL REFERENCES teams.tasks ON DELETE CASCADE,
  agent_id uuid,
  user_id text,
  content text NOT NULL,
  comment_type text NOT NULL DEFAULT 'note' CHECK (comment_type IN ('note', 'blocker')),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX comments_of_task ON teams.comments (task_id, created_at, id);
SELECT kernel.protect('teams.comments');

CREATE TABLE teams.task_events (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  team_id uuid NOT NULL REFERENCES teams.teams ON DELETE CASCADE,
  task_id uuid NOT NULL, -- also of a task that is gone
  event_type text NOT NULL,
  actor_type text NOT NULL CHECK (actor_type IN ('agent', 'human', 'system')),
  actor_id text NOT NULL,
  data jsonb,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX task_events_of_task ON teams.task_events (task_id, created_at, id);
CREATE INDEX task_events_newest ON teams.task_events (team_id, created_at DESC, id DESC);
SELECT kernel.protect('teams.task_events');

CREATE TABLE teams.files (
  team_id uuid NOT NULL REFERENCES teams.teams ON DELETE CASCADE,
  chat_id text NOT NULL, -- empty: of the whole team
  name text NOT NULL,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  content text NOT NULL,
  size integer NOT NULL, -- bytes
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (team_id, chat_id, name)
);
SELECT kernel.protect('teams.files');

-- Files of the workspace that belong to a task.
CREATE TABLE teams.attachments (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  team_id uuid NOT NULL REFERENCES teams.teams ON DELETE CASCADE,
  task_id uuid NOT NULL REFERENCES teams.tasks ON DELETE CASCADE,
  chat_id text NOT NULL,
  path text NOT NULL,
  file_size integer NOT NULL,
  created_by_agent_id uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (task_id, chat_id, path)
);
SELECT kernel.protect('teams.attachments');
