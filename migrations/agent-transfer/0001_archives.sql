-- Exports that wait to be fetched by whoever made them.
CREATE TABLE agent_transfer.archives (
  token_hash text NOT NULL,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  user_id text NOT NULL,
  file_name text NOT NULL,
  content bytea NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, token_hash)
);
CREATE INDEX archives_by_time ON agent_transfer.archives (expires_at);
SELECT kernel.protect('agent_transfer.archives');
