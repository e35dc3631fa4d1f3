-- The rows of a turn are written under the session's lock and only by the functions below. So the types hold what checks would, and a trigger what foreign keys would:
-- a check is compiled anew for each row, a key looks its session up once more, and together they would be a quarter of what a turn costs.
CREATE TYPE sessions.run_status AS ENUM ('queued', 'running', 'completed', 'failed', 'cancelled', 'interrupted');
CREATE TYPE sessions.message_role AS ENUM ('user', 'assistant', 'tool', 'system');

CREATE TABLE sessions.sessions (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  session_key varchar(500) NOT NULL,
  agent_key text NOT NULL,
  user_id text NOT NULL,
  channel text NOT NULL,
  chat_id text NOT NULL,
  label text NOT NULL DEFAULT '',
  provider text NOT NULL DEFAULT '',
  model text NOT NULL DEFAULT '',
  model_override text NOT NULL DEFAULT '',
  summary text NOT NULL DEFAULT '',
  metadata jsonb NOT NULL DEFAULT '{}',
  message_count integer NOT NULL DEFAULT 0,
  input_tokens bigint NOT NULL DEFAULT 0,
  output_tokens bigint NOT NULL DEFAULT 0,
  compaction_count integer NOT NULL DEFAULT 0,
  next_ordinal bigint NOT NULL DEFAULT 1,
  active_run uuid, -- the session's lock
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  ranked_at timestamptz NOT NULL DEFAULT now(), -- the place in lists: moved by what comes in and not by the end of a turn, which so changes no index
  UNIQUE (tenant_id, session_key)
) WITH (fillfactor = 75); -- the end of a turn finds room beside the row
CREATE INDEX sessions_newest ON sessions.sessions (tenant_id, ranked_at DESC);
CREATE INDEX sessions_of_user ON sessions.sessions (tenant_id, user_id, ranked_at DESC);
SELECT kernel.protect('sessions.sessions');

CREATE TABLE sessions.runs (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  session_id uuid NOT NULL,
  user_id text NOT NULL,
  agent_key text NOT NULL,
  channel text NOT NULL,
  chat_id text NOT NULL,
  status sessions.run_status NOT NULL,
  node text NOT NULL,
  boot text NOT NULL,
  lease_until timestamptz NOT NULL,
  message_id uuid NOT NULL, -- what the user said
  injected integer NOT NULL DEFAULT 0, -- messages that came while it ran
  idempotency_key text,
  provider text NOT NULL DEFAULT '',
  model text NOT NULL DEFAULT '',
  usage jsonb,
  error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz
);
CREATE UNIQUE INDEX runs_idempotency ON sessions.runs (tenant_id, user_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX runs_open ON sessions.runs (lease_until) WHERE status IN ('queued', 'running');
CREATE INDEX runs_of_session ON sessions.runs (session_id);
CREATE INDEX runs_queued ON sessions.runs (session_id, created_at) WHERE status = 'queued';
SELECT kernel.protect('sessions.runs');

CREATE TABLE sessions.messages (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  session_id uuid NOT NULL,
  run_id uuid,
  ordinal bigint NOT NULL,
  pending boolean NOT NULL DEFAULT false, -- came while a run was under way, which has not read it
  role sessions.message_role NOT NULL,
  content text NOT NULL,
  parts jsonb,
  thinking text,
  tool_calls jsonb,
  tool_call_id text,
  is_error boolean,
  idempotency_key text, -- of a message that was handed to a run under way; other messages' keys stand in their runs
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX messages_idempotency ON sessions.messages (session_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX messages_in_order ON sessions.messages (session_id, ordinal);
CREATE INDEX messages_pending ON sessions.messages (run_id) WHERE pending;
SELECT kernel.protect('sessions.messages');

CREATE FUNCTION sessions.remove_what_it_held() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM sessions.messages WHERE session_id IN (SELECT id FROM gone);
  DELETE FROM sessions.runs WHERE session_id IN (SELECT id FROM gone);
  RETURN NULL;
END $$;
CREATE TRIGGER remove_what_it_held AFTER DELETE ON sessions.sessions REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION sessions.remove_what_it_held();

-- A turn makes two visits, each one function call. They are functions and not common table expressions because each statement inside sees what was committed
-- before it began: after waiting for a session's lock, an expression would still look at the world from before the wait.
-- Whoever changes a session or its runs takes the session's lock first: a run that ends while a message comes in would else wait for the message's lock as the message waits for the run's,
-- or miss the run that has just been queued behind it.
-- They run with the rights and the tenant of who calls, so row-level security holds inside them as outside.

CREATE FUNCTION sessions.message_json(m sessions.messages) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object('id', m.id, 'ordinal', m.ordinal, 'role', m.role, 'content', m.content, 'parts', m.parts, 'thinking', m.thinking,
    'toolCalls', m.tool_calls, 'toolCallId', m.tool_call_id, 'isError', m.is_error, 'createdAt', to_char(m.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))
$$;

CREATE FUNCTION sessions.history_json(of_session uuid, before_ordinal bigint, most integer) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(sessions.message_json(m) ORDER BY m.ordinal), '[]') FROM (
    SELECT * FROM sessions.messages WHERE session_id = of_session AND ordinal < before_ordinal ORDER BY ordinal DESC LIMIT most) m
$$;

-- Opens the session when it is new, takes its lock, and stores run and message; or, when the session is busy, stores the message for the run under way, or the run as queued.
-- A run gets 10,000 places for its messages, so that what others add meanwhile comes after them.
CREATE FUNCTION sessions.begin_turn(t jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  s sessions.sessions;
  held boolean;
  run uuid := (t->>'runId')::uuid;
  msg uuid := (t->>'messageId')::uuid;
  who text := t->>'userId';
  idem text := t->>'idempotencyKey';
  lease timestamptz := now() + make_interval(secs => (t->>'leaseSeconds')::integer);
  seeded integer := coalesce(jsonb_array_length(t->'history'), 0);
  place bigint := seeded + 1;
  known uuid;
  said text := t->>'message';
BEGIN
  IF idem IS NOT NULL THEN
    PERFORM pg_advisory_xact_lock(hashtextextended(kernel.bound_tenant()::text || who || idem, 0));
    SELECT id INTO known FROM sessions.runs WHERE user_id = who AND idempotency_key = idem;
    IF FOUND THEN RETURN jsonb_build_object('outcome', 'repeated', 'runId', known); END IF;
  END IF;
  -- A new session is stored as the run leaves it: changing it again would cost as much as all the rest.
  INSERT INTO sessions.sessions (id, session_key, agent_key, user_id, channel, chat_id, active_run, next_ordinal, message_count)
    VALUES ((t->>'sessionId')::uuid, t->>'sessionKey', t->>'agentKey', who, t->>'channel', t->>'chatId', run, place + 10000, place)
    ON CONFLICT (tenant_id, session_key) DO NOTHING RETURNING id INTO s.id;
  IF FOUND THEN
    IF seeded > 0 THEN
      INSERT INTO sessions.messages (id, session_id, ordinal, role, content, parts)
        SELECT h.id, s.id, h.place, h.role, h.content, h.parts FROM jsonb_to_recordset(t->'history') AS h(id uuid, place bigint, role sessions.message_role, content text, parts jsonb);
    END IF;
  ELSE
    SELECT * INTO s FROM sessions.sessions WHERE session_key = t->>'sessionKey' FOR NO KEY UPDATE;
    IF s.user_id <> who AND NOT (t->>'seesAll')::boolean THEN RETURN '{"outcome":"foreign"}'; END IF;
    seeded := NULL;
    place := s.next_ordinal;
    IF idem IS NOT NULL THEN
      SELECT run_id INTO known FROM sessions.messages WHERE session_id = s.id AND idempotency_key = idem;
      IF FOUND THEN RETURN jsonb_build_object('outcome', 'injected', 'runId', known); END IF;
    END IF;
    IF s.active_run IS NOT NULL THEN
      SELECT status = 'running' AND lease_until > now() INTO held FROM sessions.runs WHERE id = s.active_run;
      IF held THEN
        IF t->>'whenBusy' = 'inject' AND (SELECT count(*) FROM sessions.messages WHERE run_id = s.active_run AND pending) < 5 THEN
          UPDATE sessions.runs SET injected = injected + 1 WHERE id = s.active_run AND status = 'running';
          IF FOUND THEN
            -- Source: wire contract, websocket 6.2.
            IF length(said) > 32000 THEN said := left(said, 32000) || ' [… cut]'; END IF;
            INSERT INTO sessions.messages (id, session_id, run_id, ordinal, pending, role, content, parts, idempotency_key)
              VALUES (msg, s.id, s.active_run, place, true, 'user', said, t->'parts', idem);
            UPDATE sessions.sessions SET next_ordinal = place + 1, message_count = message_count + 1, updated_at = now(), ranked_at = now() WHERE id = s.id;
            RETURN jsonb_build_object('outcome', 'injected', 'runId', s.active_run);
          END IF;
        ELSE
          IF (SELECT count(*) FROM sessions.runs WHERE session_id = s.id AND status = 'queued') >= 10 THEN RETURN '{"outcome":"full"}'; END IF;
          INSERT INTO sessions.runs (id, session_id, user_id, agent_key, channel, chat_id, status, node, boot, lease_until, message_id, idempotency_key)
            VALUES (run, s.id, who, t->>'agentKey', t->>'channel', t->>'chatId', 'queued', t->>'node', t->>'boot', lease, msg, idem);
          INSERT INTO sessions.messages (id, session_id, run_id, ordinal, role, content, parts) VALUES (msg, s.id, run, place, 'user', said, t->'parts');
          UPDATE sessions.sessions SET next_ordinal = place + 1, message_count = message_count + 1, updated_at = now(), ranked_at = now() WHERE id = s.id;
          RETURN jsonb_build_object('outcome', 'queued', 'runId', run);
        END IF;
      ELSE
        UPDATE sessions.runs SET status = 'interrupted', finished_at = now(), error = 'its gateway stopped' WHERE id = s.active_run AND status IN ('running', 'queued');
      END IF;
    END IF;
    UPDATE sessions.sessions SET active_run = run, next_ordinal = place + 10000, message_count = message_count + 1, updated_at = now(), ranked_at = now() WHERE id = s.id;
  END IF;
  INSERT INTO sessions.runs (id, session_id, user_id, agent_key, channel, chat_id, status, node, boot, lease_until, message_id, idempotency_key)
    VALUES (run, s.id, who, t->>'agentKey', t->>'channel', t->>'chatId', 'running', t->>'node', t->>'boot', lease, msg, idem);
  INSERT INTO sessions.messages (id, session_id, run_id, ordinal, role, content, parts) VALUES (msg, s.id, run, place, 'user', said, t->'parts');
  IF seeded = 0 THEN RETURN jsonb_build_object('outcome', 'started', 'runId', run, 'ordinal', place, 'model', '', 'history', '[]'::jsonb); END IF;
  RETURN jsonb_build_object('outcome', 'started', 'runId', run, 'ordinal', place, 'model', coalesce(s.model_override, ''),
    'history', sessions.history_json(s.id, place, (t->>'historyLimit')::integer));
END $$;

-- Starts a queued run whose turn has come, or the oldest queued one of its session when that one is gone. Null when the session is busy again, or nothing waits.
CREATE FUNCTION sessions.resume_turn(t jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  s sessions.sessions;
  r sessions.runs;
  m sessions.messages;
  place bigint;
BEGIN
  SELECT s2.* INTO s FROM sessions.sessions s2 JOIN sessions.runs r2 ON r2.session_id = s2.id WHERE r2.id = (t->>'runId')::uuid FOR NO KEY UPDATE OF s2;
  IF NOT FOUND OR EXISTS (SELECT FROM sessions.runs WHERE id = s.active_run AND status = 'running' AND lease_until > now()) THEN RETURN NULL; END IF;
  SELECT * INTO r FROM sessions.runs WHERE session_id = s.id AND status = 'queued' AND node = t->>'node' ORDER BY id <> (t->>'runId')::uuid, created_at, id LIMIT 1 FOR UPDATE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  place := s.next_ordinal;
  UPDATE sessions.messages SET ordinal = place WHERE id = r.message_id RETURNING * INTO m;
  UPDATE sessions.runs SET status = 'running', lease_until = now() + make_interval(secs => (t->>'leaseSeconds')::integer) WHERE id = r.id;
  UPDATE sessions.sessions SET active_run = r.id, next_ordinal = place + 10000, updated_at = now(), ranked_at = now() WHERE id = s.id;
  RETURN jsonb_build_object('outcome', 'started', 'runId', r.id, 'ordinal', place, 'model', s.model_override, 'history', sessions.history_json(s.id, place, (t->>'historyLimit')::integer),
    'turn', jsonb_strip_nulls(jsonb_build_object('runId', r.id, 'sessionKey', s.session_key, 'agentKey', r.agent_key, 'channel', r.channel, 'chatId', r.chat_id, 'message', m.content,
      'parts', m.parts, 'whenBusy', 'queue')));
END $$;

-- Stores what the run has made, ends it, gives the lock back and says which queued run comes next.
CREATE FUNCTION sessions.finish_turn(f jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  run uuid := (f->>'runId')::uuid;
  read integer := jsonb_array_length(f->'consumed');
  of_session uuid;
  came integer;
  next jsonb;
BEGIN
  PERFORM FROM sessions.sessions WHERE id = (SELECT session_id FROM sessions.runs WHERE id = run) FOR NO KEY UPDATE;
  UPDATE sessions.runs SET status = (f->>'status')::sessions.run_status, provider = f->>'provider', model = f->>'model', usage = f->'usage', error = f->>'error', finished_at = now()
    WHERE id = run AND status IN ('running', 'queued') AND node = f->>'node' AND (injected <= read OR f->>'status' <> 'completed')
    RETURNING session_id, injected INTO of_session, came;
  IF NOT FOUND THEN
    IF NOT EXISTS (SELECT FROM sessions.runs WHERE id = run AND status IN ('running', 'queued') AND node = f->>'node') THEN RETURN '{"outcome":"lost"}'; END IF;
    RETURN jsonb_build_object('outcome', 'more', 'injected', sessions.injected_json(run, f->'consumed'));
  END IF;
  IF came > 0 THEN
    UPDATE sessions.messages m SET ordinal = c.ordinal FROM jsonb_to_recordset(f->'consumed') AS c(id uuid, ordinal bigint) WHERE m.id = c.id;
    UPDATE sessions.messages SET pending = false WHERE run_id = run AND pending;
  END IF;
  INSERT INTO sessions.messages (id, session_id, run_id, ordinal, role, content, parts, thinking, tool_calls, tool_call_id, is_error)
    SELECT n.id, of_session, run, n.ordinal, n.role, n.content, n.parts, n.thinking, n."toolCalls", n."toolCallId", n."isError"
    FROM jsonb_to_recordset(f->'messages') AS n(id uuid, ordinal bigint, role sessions.message_role, content text, parts jsonb, thinking text, "toolCalls" jsonb, "toolCallId" text, "isError" boolean);
  UPDATE sessions.sessions SET active_run = nullif(active_run, run), message_count = message_count + jsonb_array_length(f->'messages'), provider = f->>'provider', model = f->>'model',
    input_tokens = input_tokens + (f->'usage'->>'promptTokens')::bigint, output_tokens = output_tokens + (f->'usage'->>'completionTokens')::bigint, updated_at = now()
    WHERE id = of_session
    RETURNING (SELECT jsonb_build_object('id', r.id, 'node', r.node) FROM sessions.runs r WHERE r.session_id = of_session AND r.status = 'queued' ORDER BY r.created_at, r.id LIMIT 1) INTO next;
  RETURN jsonb_build_object('outcome', 'finished', 'next', next->'id', 'nextNode', next->'node');
END $$;

CREATE FUNCTION sessions.injected_json(of_run uuid, consumed jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(sessions.message_json(m) ORDER BY m.ordinal), '[]') FROM sessions.messages m
  WHERE m.run_id = of_run AND m.pending AND NOT (consumed @> jsonb_build_array(jsonb_build_object('id', m.id)))
$$;

-- Work over all tenants, with the rights of the owner: a node renews all of its runs by one statement, and ends those of nodes that are gone.
CREATE FUNCTION sessions.renew_leases(of_node text, of_boot text, seconds integer) RETURNS integer LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  WITH renewed AS (
    UPDATE sessions.runs SET lease_until = now() + make_interval(secs => seconds)
    WHERE status IN ('queued', 'running') AND node = of_node AND boot = of_boot RETURNING 1)
  SELECT count(*)::integer FROM renewed
$$;

CREATE FUNCTION sessions.reap(of_node text, of_boot text) RETURNS TABLE (tenant_id uuid, run_id uuid, session_key text, agent_key text, user_id text, channel text, chat_id text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  WITH left_over AS (
    SELECT id, session_id FROM sessions.runs WHERE status IN ('queued', 'running') AND (lease_until < now() OR (node = of_node AND boot <> of_boot))),
  held AS MATERIALIZED (
    SELECT id FROM sessions.sessions WHERE id IN (SELECT session_id FROM left_over) ORDER BY id FOR UPDATE SKIP LOCKED),
  ended AS (
    UPDATE sessions.runs r SET status = 'interrupted', finished_at = now(), error = 'its gateway stopped'
    WHERE r.id IN (SELECT id FROM left_over) AND r.session_id IN (SELECT id FROM held)
      AND r.status IN ('queued', 'running') AND (r.lease_until < now() OR (r.node = of_node AND r.boot <> of_boot))
    RETURNING r.tenant_id, r.id, r.session_id, r.agent_key, r.user_id, r.channel, r.chat_id),
  freed AS (
    UPDATE sessions.sessions s SET active_run = NULL FROM ended e WHERE s.active_run = e.id RETURNING s.id)
  SELECT e.tenant_id, e.id, s.session_key, e.agent_key, e.user_id, e.channel, e.chat_id FROM ended e JOIN sessions.sessions s ON s.id = e.session_id
$$;

REVOKE ALL ON FUNCTION sessions.renew_leases, sessions.reap FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sessions.renew_leases, sessions.reap TO {{app}};
