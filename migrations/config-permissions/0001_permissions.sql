-- Who may change what of an agent, and from where: in one chat, in all groups, anywhere.
CREATE TABLE config_permissions.permissions (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  agent_id uuid NOT NULL,
  scope varchar(300) NOT NULL, -- agent, group:<channel>:<chat>, group:* or *
  config_type varchar(20) NOT NULL,
  user_id varchar(255) NOT NULL, -- * for everybody
  permission text NOT NULL CHECK (permission IN ('allow', 'deny')),
  granted_by varchar(255) NOT NULL DEFAULT '',
  metadata jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, agent_id, scope, config_type, user_id)
);
SELECT kernel.protect('config_permissions.permissions');
