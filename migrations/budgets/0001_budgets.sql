CREATE TABLE budgets.budgets (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  name varchar(200) NOT NULL DEFAULT '',
  scope text NOT NULL CHECK (scope IN ('tenant', 'agent', 'user', 'key')),
  subject varchar(255) NOT NULL DEFAULT '', -- whom of that scope: an id; empty for the tenant; * for each by itself
  period text NOT NULL CHECK (period IN ('day', 'month')),
  time_zone varchar(64) NOT NULL, -- in which a period begins at midnight
  unit text NOT NULL CHECK (unit IN ('usd', 'tokens')),
  most bigint NOT NULL CHECK (most >= 0), -- nano-USD, or tokens
  enforcement text NOT NULL CHECK (enforcement IN ('hard', 'soft')),
  warn_percent integer NOT NULL CHECK (warn_percent BETWEEN 1 AND 100),
  enabled boolean NOT NULL DEFAULT true,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
SELECT kernel.protect('budgets.budgets');
CREATE INDEX budgets_newest ON budgets.budgets (tenant_id, created_at);

-- What of a budget is spent in a period, and what calls under way have set aside. `budget_id` may be an agent's id: its budget is a part of the agent.
CREATE TABLE budgets.spending (
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  budget_id uuid NOT NULL,
  subject varchar(255) NOT NULL,
  period_start timestamptz NOT NULL,
  period_end timestamptz NOT NULL,
  spent bigint NOT NULL DEFAULT 0,
  reserved bigint NOT NULL DEFAULT 0,
  warned_at timestamptz,
  PRIMARY KEY (tenant_id, budget_id, subject, period_start)
);
SELECT kernel.protect('budgets.spending');

-- What a call under way may cost, for each budget that holds for it. It lives as long as its gateway renews it.
CREATE TABLE budgets.reservations (
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  id uuid NOT NULL,
  budget_id uuid NOT NULL,
  subject varchar(255) NOT NULL,
  period_start timestamptz NOT NULL,
  unit text NOT NULL,
  amount bigint NOT NULL,
  warn_at bigint NOT NULL,
  node text NOT NULL,
  boot text NOT NULL,
  lease_until timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id, budget_id, subject)
);
SELECT kernel.protect('budgets.reservations');
CREATE INDEX reservations_leased ON budgets.reservations (lease_until);
CREATE INDEX reservations_of_node ON budgets.reservations (node);

-- Sets aside for several calls of one tenant, each in all of its budgets or in none; for a call that has something already it adds. One statement, so that calls on any node see each other's.
-- A call that alone is under way may go over the limit: a budget with something left always serves one more call, and is over by no more than that one.
CREATE FUNCTION budgets.reserve(calls jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  call jsonb;
  refused jsonb;
  answers jsonb := '[]';
BEGIN
  INSERT INTO budgets.spending (budget_id, subject, period_start, period_end)
    SELECT DISTINCT h.budget, h.subject, h.starts, h.ends
    FROM jsonb_array_elements(calls) c, jsonb_to_recordset(c->'holds') AS h(budget uuid, subject text, starts timestamptz, ends timestamptz)
    ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING;
  -- Always in this order, so that two statements never wait for each other.
  PERFORM FROM budgets.spending s
    WHERE (s.budget_id, s.subject, s.period_start) IN (
      SELECT h.budget, h.subject, h.starts FROM jsonb_array_elements(calls) c, jsonb_to_recordset(c->'holds') AS h(budget uuid, subject text, starts timestamptz))
    ORDER BY s.budget_id, s.subject, s.period_start FOR UPDATE;
  FOR call IN SELECT value FROM jsonb_array_elements(calls) LOOP
    SELECT jsonb_build_object('id', call->>'id', 'budget', s.budget_id, 'spent', s.spent) INTO refused
      FROM jsonb_to_recordset(call->'holds') AS h(budget uuid, subject text, starts timestamptz, amount bigint, most bigint, hard boolean)
      JOIN budgets.spending s ON s.budget_id = h.budget AND s.subject = h.subject AND s.period_start = h.starts
      LEFT JOIN budgets.reservations r ON r.id = (call->>'id')::uuid AND r.budget_id = h.budget AND r.subject = h.subject
      WHERE h.hard AND s.spent + s.reserved + h.amount > h.most AND NOT (s.reserved = coalesce(r.amount, 0) AND s.spent < h.most)
      ORDER BY s.spent >= h.most DESC, s.period_end DESC LIMIT 1;
    IF FOUND THEN
      answers := answers || refused;
      CONTINUE;
    END IF;
    UPDATE budgets.spending s SET reserved = s.reserved + h.amount
      FROM jsonb_to_recordset(call->'holds') AS h(budget uuid, subject text, starts timestamptz, amount bigint)
      WHERE s.budget_id = h.budget AND s.subject = h.subject AND s.period_start = h.starts;
    INSERT INTO budgets.reservations AS r (id, budget_id, subject, period_start, unit, amount, warn_at, node, boot, lease_until)
      SELECT (call->>'id')::uuid, h.budget, h.subject, h.starts, h.unit, h.amount, h."warnAt", call->>'node', call->>'boot', now() + make_interval(secs => (call->>'leaseSeconds')::integer)
      FROM jsonb_to_recordset(call->'holds') AS h(budget uuid, subject text, starts timestamptz, unit text, amount bigint, "warnAt" bigint)
      ON CONFLICT (tenant_id, id, budget_id, subject) DO UPDATE SET amount = r.amount + excluded.amount;
    -- Those that are spent so far that it is worth a word.
    answers := answers || (SELECT jsonb_build_object('id', call->>'id', 'near', coalesce(jsonb_agg(jsonb_build_object('budget', s.budget_id, 'spent', s.spent)), '[]'))
      FROM jsonb_to_recordset(call->'holds') AS h(budget uuid, subject text, starts timestamptz, "warnAt" bigint)
      JOIN budgets.spending s ON s.budget_id = h.budget AND s.subject = h.subject AND s.period_start = h.starts AND s.spent >= h."warnAt");
  END LOOP;
  RETURN answers;
END $$;

-- What calls of one tenant really cost. `nano` null: nobody knows, so it is what was set aside. Answers the budgets that have reached their warning by this, each once a period.
CREATE FUNCTION budgets.settle(ended jsonb) RETURNS TABLE (budget_id uuid, subject text, spent bigint, period_start timestamptz) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM FROM budgets.spending s
    WHERE (s.budget_id, s.subject, s.period_start) IN (
      SELECT r.budget_id, r.subject, r.period_start FROM budgets.reservations r JOIN jsonb_to_recordset(ended) AS e(id uuid) ON r.id = e.id)
    ORDER BY s.budget_id, s.subject, s.period_start FOR UPDATE;
  RETURN QUERY
    WITH gone AS (
      DELETE FROM budgets.reservations r USING jsonb_to_recordset(ended) AS e(id uuid, tokens bigint, nano bigint) WHERE r.id = e.id
      RETURNING r.budget_id, r.subject, r.period_start, r.amount, r.warn_at, CASE r.unit WHEN 'tokens' THEN e.tokens ELSE coalesce(e.nano, r.amount) END AS spent
    ), sums AS (
      SELECT g.budget_id, g.subject, g.period_start, sum(g.amount)::bigint AS amount, sum(g.spent)::bigint AS spent, max(g.warn_at) AS warn_at FROM gone g GROUP BY 1, 2, 3
    ), told AS (
      UPDATE budgets.spending s SET reserved = s.reserved - d.amount, spent = s.spent + d.spent,
        warned_at = CASE WHEN s.warned_at IS NULL AND s.spent + d.spent >= d.warn_at AND d.spent > 0 THEN now() ELSE s.warned_at END
      FROM sums d WHERE s.budget_id = d.budget_id AND s.subject = d.subject AND s.period_start = d.period_start
      RETURNING s.budget_id, s.subject::text, s.spent, s.period_start, s.warned_at
    )
    SELECT t.budget_id, t.subject, t.spent, t.period_start FROM told t WHERE t.warned_at = now();
END $$;

CREATE FUNCTION budgets.renew_leases(of_node text, of_boot text, lease_seconds integer) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  UPDATE budgets.reservations SET lease_until = now() + make_interval(secs => lease_seconds) WHERE node = of_node AND boot = of_boot
$$;

-- Calls of gateways that are gone, of all tenants. Nobody knows what they cost: each counts as what it had set aside, so that a limit holds.
CREATE FUNCTION budgets.reap(of_node text, of_boot text) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  dead uuid[];
BEGIN
  dead := ARRAY(SELECT DISTINCT r.id FROM budgets.reservations r WHERE r.lease_until < now() OR (r.node = of_node AND r.boot <> of_boot) LIMIT 1000);
  IF dead = '{}' THEN RETURN 0; END IF;
  PERFORM FROM budgets.spending s
    WHERE (s.tenant_id, s.budget_id, s.subject, s.period_start) IN (SELECT r.tenant_id, r.budget_id, r.subject, r.period_start FROM budgets.reservations r WHERE r.id = ANY(dead))
    ORDER BY s.budget_id, s.subject, s.period_start FOR UPDATE;
  WITH gone AS (
    DELETE FROM budgets.reservations r WHERE r.id = ANY(dead) RETURNING r.tenant_id, r.budget_id, r.subject, r.period_start, r.amount
  ), sums AS (
    SELECT tenant_id, budget_id, subject, period_start, sum(amount)::bigint AS amount FROM gone GROUP BY 1, 2, 3, 4
  )
  UPDATE budgets.spending s SET reserved = s.reserved - d.amount, spent = s.spent + d.amount
    FROM sums d WHERE s.tenant_id = d.tenant_id AND s.budget_id = d.budget_id AND s.subject = d.subject AND s.period_start = d.period_start;
  RETURN cardinality(dead);
END $$;

REVOKE ALL ON FUNCTION budgets.renew_leases, budgets.reap FROM PUBLIC;
GRANT EXECUTE ON FUNCTION budgets.renew_leases, budgets.reap TO {{app}};
