-- A conversation that outgrows its model's window keeps all of its messages; the model is shown the summary in place of those up to here.
ALTER TABLE sessions.sessions ADD COLUMN summarized_to bigint NOT NULL DEFAULT 0;
-- What the model was shown by the latest request, with its answer.
ALTER TABLE sessions.sessions ADD COLUMN context_tokens integer NOT NULL DEFAULT 0;

CREATE FUNCTION sessions.history_json(of_session uuid, after_ordinal bigint, before_ordinal bigint, most integer) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(sessions.message_json(m) ORDER BY m.ordinal), '[]') FROM (
    SELECT * FROM sessions.messages WHERE session_id = of_session AND ordinal > after_ordinal AND ordinal < before_ordinal ORDER BY ordinal DESC LIMIT most) m
$$;

-- As before, with the summary and what comes behind it, and with a name for a new session.
CREATE OR REPLACE FUNCTION sessions.begin_turn(t jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
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
  INSERT INTO sessions.sessions (id, session_key, agent_key, user_id, channel, chat_id, label, active_run, next_ordinal, message_count)
    VALUES ((t->>'sessionId')::uuid, t->>'sessionKey', t->>'agentKey', who, t->>'channel', t->>'chatId', coalesce(t->>'label', ''), run, place + 10000, place)
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
  IF seeded = 0 THEN RETURN jsonb_build_object('outcome', 'started', 'runId', run, 'ordinal', place, 'model', '', 'history', '[]'::jsonb, 'opened', true); END IF;
  RETURN jsonb_build_object('outcome', 'started', 'runId', run, 'ordinal', place, 'model', coalesce(s.model_override, ''),
    'history', sessions.history_json(s.id, coalesce(s.summarized_to, 0), place, (t->>'historyLimit')::integer), 'summary', nullif(s.summary, ''), 'summarizedTo', s.summarized_to);
END $$;

-- As before, with the summary and what comes behind it.
CREATE OR REPLACE FUNCTION sessions.resume_turn(t jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
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
  RETURN jsonb_build_object('outcome', 'started', 'runId', r.id, 'ordinal', place, 'model', s.model_override, 'history', sessions.history_json(s.id, s.summarized_to, place, (t->>'historyLimit')::integer),
    'summary', nullif(s.summary, ''), 'summarizedTo', s.summarized_to,
    'turn', jsonb_strip_nulls(jsonb_build_object('runId', r.id, 'sessionKey', s.session_key, 'agentKey', r.agent_key, 'channel', r.channel, 'chatId', r.chat_id, 'message', m.content,
      'parts', m.parts, 'whenBusy', 'queue')));
END $$;

DROP FUNCTION sessions.history_json(uuid, bigint, integer);
