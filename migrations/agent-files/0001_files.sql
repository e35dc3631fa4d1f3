CREATE TABLE agent_files.files (
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  agent_id uuid NOT NULL,
  file_name text NOT NULL,
  content text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, agent_id, file_name)
);
SELECT kernel.protect('agent_files.files');

-- An agent as one user has it.
CREATE TABLE agent_files.instances (
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  agent_id uuid NOT NULL,
  user_id text NOT NULL CHECK (length(user_id) BETWEEN 1 AND 255),
  metadata jsonb NOT NULL DEFAULT '{}', -- texts by name
  first_seen_at timestamptz, -- null: made by hand, and the user has not been there yet
  last_seen_at timestamptz,
  PRIMARY KEY (tenant_id, agent_id, user_id)
);
SELECT kernel.protect('agent_files.instances');

CREATE TABLE agent_files.instance_files (
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  agent_id uuid NOT NULL,
  user_id text NOT NULL,
  file_name text NOT NULL,
  content text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, agent_id, user_id, file_name),
  FOREIGN KEY (tenant_id, agent_id, user_id) REFERENCES agent_files.instances ON DELETE CASCADE
);
SELECT kernel.protect('agent_files.instance_files');
