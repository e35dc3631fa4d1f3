-- One for each agent. `next_run_at` is the truth about what is due when; a beat under way holds a lease and keeps its due time until it has ended, so a crash loses nothing.
CREATE TABLE heartbeat.heartbeats (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  agent_id uuid NOT NULL,
  user_id text NOT NULL, -- who set it up; its runs are theirs
  user_role text NOT NULL, -- at that time; its runs may do no more
  enabled boolean NOT NULL,
  interval_sec integer NOT NULL,
  prompt text NOT NULL,
  provider_name text NOT NULL,
  model text NOT NULL,
  isolated_session boolean NOT NULL,
  light_context boolean NOT NULL,
  ack_max_chars integer NOT NULL,
  max_retries integer NOT NULL,
  active_hours_start text NOT NULL, -- HH:MM, or empty
  active_hours_end text NOT NULL,
  timezone text NOT NULL,
  channel text NOT NULL,
  chat_id text NOT NULL,
  next_run_at timestamptz, -- null while it is off
  last_run_at timestamptz,
  last_status text,
  last_error text,
  run_count integer NOT NULL DEFAULT 0,
  suppress_count integer NOT NULL DEFAULT 0,
  attempt integer NOT NULL DEFAULT 0, -- of the beat under way, from 1
  by_hand boolean NOT NULL DEFAULT false,
  node text,
  boot text,
  lease_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, agent_id)
);
CREATE INDEX heartbeats_due ON heartbeat.heartbeats (next_run_at) WHERE enabled;
CREATE INDEX heartbeats_leased ON heartbeat.heartbeats (lease_until) WHERE lease_until IS NOT NULL;
SELECT kernel.protect('heartbeat.heartbeats');

CREATE TABLE heartbeat.logs (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  heartbeat_id uuid NOT NULL REFERENCES heartbeat.heartbeats ON DELETE CASCADE,
  agent_id uuid NOT NULL,
  ran_at timestamptz NOT NULL,
  status text NOT NULL, -- running, ok, suppressed, error or skipped
  summary text,
  error text,
  skip_reason text,
  duration_ms integer,
  input_tokens integer NOT NULL DEFAULT 0,
  output_tokens integer NOT NULL DEFAULT 0,
  session_key text, -- of a session that is this beat's alone
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX logs_of_heartbeat ON heartbeat.logs (heartbeat_id, ran_at DESC, id DESC);
SELECT kernel.protect('heartbeat.logs');

-- Due ones of all tenants, each for one node only; and those that a node left behind when it died. `at` is the node's clock, leases are the database's.
CREATE FUNCTION heartbeat.claim(of_node text, of_boot text, at timestamptz, lease_seconds integer, most integer)
RETURNS TABLE (id uuid, tenant_id uuid, attempt integer) LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  WITH due AS (
    SELECT h.id FROM heartbeat.heartbeats h
    WHERE (h.enabled AND h.next_run_at <= at AND h.lease_until IS NULL) OR h.lease_until < now() OR (h.lease_until IS NOT NULL AND h.node = of_node AND h.boot <> of_boot)
    ORDER BY h.next_run_at LIMIT most FOR UPDATE SKIP LOCKED)
  UPDATE heartbeat.heartbeats h SET node = of_node, boot = of_boot, lease_until = now() + make_interval(secs => lease_seconds), attempt = h.attempt + 1
  FROM due WHERE h.id = due.id RETURNING h.id, h.tenant_id, h.attempt
$$;

CREATE FUNCTION heartbeat.renew_leases(of_node text, of_boot text, lease_seconds integer) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  UPDATE heartbeat.heartbeats SET lease_until = now() + make_interval(secs => lease_seconds) WHERE lease_until IS NOT NULL AND node = of_node AND boot = of_boot
$$;

-- False: no node needs to look, until somebody sets or changes one.
CREATE FUNCTION heartbeat.awaits() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT EXISTS (SELECT FROM heartbeat.heartbeats WHERE (enabled AND next_run_at IS NOT NULL) OR lease_until IS NOT NULL)
$$;

REVOKE ALL ON FUNCTION heartbeat.claim, heartbeat.renew_leases, heartbeat.awaits FROM PUBLIC;
GRANT EXECUTE ON FUNCTION heartbeat.claim, heartbeat.renew_leases, heartbeat.awaits TO {{app}};
