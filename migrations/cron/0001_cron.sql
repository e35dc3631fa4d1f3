-- `next_run_at` is the truth about what is due when. A job that runs holds a lease, and keeps its due time until the run has ended: so a crash loses nothing.
CREATE TABLE cron.jobs (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  user_id text NOT NULL,
  user_role text NOT NULL, -- of the user when the job was made; its runs may do no more
  name varchar(100) NOT NULL,
  agent_id text NOT NULL DEFAULT '', -- empty: the tenant's default agent
  enabled boolean NOT NULL DEFAULT true,
  schedule jsonb NOT NULL,
  message text NOT NULL,
  deliver boolean NOT NULL DEFAULT false,
  deliver_channel text NOT NULL DEFAULT '',
  deliver_to text NOT NULL DEFAULT '',
  wake_heartbeat boolean NOT NULL DEFAULT false,
  stateless boolean NOT NULL DEFAULT true,
  delete_after_run boolean NOT NULL DEFAULT false,
  next_run_at timestamptz, -- null: never again
  last_run_at timestamptz,
  last_status text,
  last_error text,
  attempt integer NOT NULL DEFAULT 0, -- of the run under way, from 1
  by_hand boolean NOT NULL DEFAULT false,
  node text,
  boot text,
  lease_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX jobs_due ON cron.jobs (next_run_at) WHERE enabled;
CREATE INDEX jobs_leased ON cron.jobs (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX jobs_of_user ON cron.jobs (tenant_id, user_id, name);
SELECT kernel.protect('cron.jobs');

CREATE TABLE cron.runs (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  job_id uuid NOT NULL REFERENCES cron.jobs ON DELETE CASCADE,
  started_at timestamptz NOT NULL,
  status text NOT NULL, -- running, ok, error or skipped
  error text,
  summary text,
  duration_ms integer,
  input_tokens integer,
  output_tokens integer
);
CREATE INDEX runs_of_job ON cron.runs (job_id, started_at DESC, id DESC);
SELECT kernel.protect('cron.runs');

-- Due jobs of all tenants, each for one node only; and those that a node left behind when it died. `at` is the node's clock, leases are the database's.
CREATE FUNCTION cron.claim(of_node text, of_boot text, at timestamptz, lease_seconds integer, most integer)
RETURNS TABLE (id uuid, tenant_id uuid, attempt integer) LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  WITH due AS (
    SELECT j.id FROM cron.jobs j
    WHERE (j.enabled AND j.next_run_at <= at AND j.lease_until IS NULL) OR j.lease_until < now() OR (j.lease_until IS NOT NULL AND j.node = of_node AND j.boot <> of_boot)
    ORDER BY j.next_run_at LIMIT most FOR UPDATE SKIP LOCKED)
  UPDATE cron.jobs j SET node = of_node, boot = of_boot, lease_until = now() + make_interval(secs => lease_seconds), attempt = j.attempt + 1
  FROM due WHERE j.id = due.id RETURNING j.id, j.tenant_id, j.attempt
$$;

CREATE FUNCTION cron.renew_leases(of_node text, of_boot text, lease_seconds integer) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  UPDATE cron.jobs SET lease_until = now() + make_interval(secs => lease_seconds) WHERE lease_until IS NOT NULL AND node = of_node AND boot = of_boot
$$;

-- False: no node needs to look, until somebody makes or changes a job.
CREATE FUNCTION cron.awaits() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT EXISTS (SELECT FROM cron.jobs WHERE (enabled AND next_run_at IS NOT NULL) OR lease_until IS NOT NULL)
$$;

REVOKE ALL ON FUNCTION cron.claim, cron.renew_leases, cron.awaits FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cron.claim, cron.renew_leases, cron.awaits TO {{app}};
