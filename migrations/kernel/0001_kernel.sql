-- The kernel's own tables. Its role sees all of them; the role of plugins sees only what is granted at the end.
-- {{app}} and {{kernel}} stand for the names of the two roles, which carry the id of this database.

GRANT USAGE ON SCHEMA kernel TO {{app}}, {{kernel}};

-- The tenant that the connection is bound to; null when it is bound to none. Inlined by the planner.
CREATE FUNCTION kernel.bound_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('plugboard.tenant', true), '')::uuid $$;

-- Makes a table belong to tenants: row-level security is on for everyone, the owner included, and plugins see only rows of the bound tenant.
-- The owner's policy is for migrations: without it a back-fill would change no row and succeed.
CREATE FUNCTION kernel.protect(target regclass) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
  EXECUTE format('CREATE POLICY tenant ON %s TO {{app}} USING (tenant_id = kernel.bound_tenant()) WITH CHECK (tenant_id = kernel.bound_tenant())', target);
  EXECUTE format('CREATE POLICY owner ON %s TO CURRENT_USER USING (true) WITH CHECK (true)', target);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO {{app}}', target);
END $$;

CREATE TABLE kernel.tenants (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  slug text NOT NULL UNIQUE,
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'archived')),
  settings jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO kernel.tenants (id, name, slug) VALUES ('0193a5b0-7000-7000-8000-000000000001', 'Master', 'master');

CREATE TABLE kernel.members (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL REFERENCES kernel.tenants ON DELETE CASCADE,
  user_id text NOT NULL CHECK (length(user_id) BETWEEN 1 AND 255),
  display_name text,
  role text NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'admin', 'operator', 'member', 'viewer')),
  metadata jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, user_id)
);
CREATE INDEX members_user ON kernel.members (user_id);

CREATE TABLE kernel.api_keys (
  id uuid PRIMARY KEY,
  tenant_id uuid REFERENCES kernel.tenants ON DELETE CASCADE, -- null: a key of the whole gateway
  name text NOT NULL,
  prefix text NOT NULL,
  key_hash text NOT NULL UNIQUE, -- SHA-256 of the key, in hex; the key itself is nowhere
  scopes text[] NOT NULL,
  owner_id text,
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked boolean NOT NULL DEFAULT false,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX api_keys_tenant ON kernel.api_keys (tenant_id, created_at DESC);

CREATE TABLE kernel.pairings (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL REFERENCES kernel.tenants ON DELETE CASCADE,
  channel text NOT NULL,
  sender_id text NOT NULL,
  account_id text NOT NULL DEFAULT 'default',
  chat_id text NOT NULL DEFAULT '',
  user_id text,
  code text UNIQUE,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved')),
  paired_by text,
  metadata jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  approved_at timestamptz,
  expires_at timestamptz NOT NULL,
  UNIQUE (channel, sender_id)
);

-- The audit log. Plugins may add to it and read it; nobody but the owner can change or remove an entry.
CREATE TABLE kernel.activity (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  actor_type text NOT NULL DEFAULT 'user',
  actor_id text NOT NULL,
  action text NOT NULL,
  entity_type text,
  entity_id text,
  details jsonb,
  ip_address text,
  plugin text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX activity_tenant ON kernel.activity (tenant_id, created_at DESC);
SELECT kernel.protect('kernel.activity');
REVOKE UPDATE, DELETE ON kernel.activity FROM {{app}};
CREATE POLICY kernel ON kernel.activity TO {{kernel}} USING (true) WITH CHECK (true);

-- Plugins as the whole gateway has them, and the tenants for which one is off.
CREATE TABLE kernel.plugins (
  id text PRIMARY KEY,
  version text NOT NULL,
  enabled boolean NOT NULL DEFAULT true,
  config jsonb NOT NULL DEFAULT '{}',
  off_for uuid[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- What an administrator has let a plugin do: `contents` is the hash of its package and of what it asks for.
CREATE TABLE kernel.consents (
  plugin_id text NOT NULL REFERENCES kernel.plugins ON DELETE CASCADE,
  contents text NOT NULL,
  capabilities jsonb NOT NULL,
  granted_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (plugin_id, contents)
);

-- Events on their way to the other nodes. Kept for minutes. A plugin may add one of its tenant; only the owner reads them.
CREATE TABLE kernel.outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  written_by xid8 NOT NULL DEFAULT pg_current_xact_id(), -- readers go by transactions: ids are given before commits
  node text NOT NULL,
  plugin text NOT NULL,
  event text NOT NULL,
  tenant_id uuid, -- null: an event of the whole gateway
  to_user text,
  payload jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX outbox_written_by ON kernel.outbox (written_by);
SELECT kernel.protect('kernel.outbox');
REVOKE SELECT, UPDATE, DELETE ON kernel.outbox FROM {{app}};
CREATE POLICY kernel ON kernel.outbox TO {{kernel}} USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.tenants, kernel.members, kernel.api_keys, kernel.pairings, kernel.plugins, kernel.consents TO {{kernel}};
GRANT SELECT, INSERT ON kernel.activity TO {{kernel}};
GRANT INSERT ON kernel.outbox TO {{kernel}};
