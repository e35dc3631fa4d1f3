-- The two visits of a turn with a parameter for each thing that they are told. Taking it out of one document, member by member and once more in each statement, was a tenth of what a turn costs here.
-- Otherwise as before.
CREATE FUNCTION sessions.begin_turn(
  run uuid, new_session uuid, key text, agent text, who text, sees_all boolean, via text, chat text, title text, msg uuid, said text, with_parts jsonb, idem text, when_busy text,
  earlier jsonb, most integer, on_node text, on_boot text, lease_seconds integer
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  s sessions.sessions;
  held boolean;
  lease timestamptz := now() + make_interval(secs => lease_seconds);
  seeded integer := coalesce(jsonb_array_length(earlier), 0);
  place bigint := seeded + 1;
  known uuid;
BEGIN
  IF idem IS NOT NULL THEN
    PERFORM pg_advisory_xact_lock(hashtextextended(kernel.bound_tenant()::text || who || idem, 0));
    SELECT id INTO known FROM sessions.runs WHERE user_id = who AND idempotency_key = idem;
    IF FOUND THEN RETURN jsonb_build_object('outcome', 'repeated', 'runId', known); END IF;
  END IF;
  -- A new session is stored as the run leaves it: changing it again would cost as much as all the rest.
  INSERT INTO sessions.sessions (id, session_key, agent_key, user_id, channel, chat_id, label, active_run, next_ordinal, message_count)
    VALUES (new_session, key, agent, who, via, chat, title, run, place + 10000, place)
    ON CONFLICT (tenant_id, session_key) DO NOTHING RETURNING id INTO s.id;
  IF FOUND THEN
    IF seeded > 0 THEN
      INSERT INTO sessions.messages (id, session_id, ordinal, role, content, parts)
        SELECT h.id, s.id, h.place, h.role, h.content, h.parts FROM jsonb_to_recordset(earlier) AS h(id uuid, place bigint, role sessions.message_role, content text, parts jsonb);
    END IF;
  ELSE
    SELECT * INTO s FROM sessions.sessions WHERE session_key = key FOR NO KEY UPDATE;
    IF s.user_id <> who AND NOT sees_all THEN RETURN '{"outcome":"foreign"}'; END IF;
    seeded := NULL;
    place := s.next_ordinal;
    IF idem IS NOT NULL THEN
      SELECT run_id INTO known FROM sessions.messages WHERE session_id = s.id AND idempotency_key = idem;
      IF FOUND THEN RETURN jsonb_build_object('outcome', 'injected', 'runId', known); END IF;
    END IF;
    IF s.active_run IS NOT NULL THEN
      SELECT status = 'running' AND lease_until > now() INTO held FROM sessions.runs WHERE id = s.active_run;
      IF held THEN
        IF when_busy = 'inject' AND (SELECT count(*) FROM sessions.messages WHERE run_id = s.active_run AND pending) < 5 THEN
          UPDATE sessions.runs SET injected = injected + 1 WHERE id = s.active_run AND status = 'running';
          IF FOUND THEN
            -- Source: wire contract, websocket 6.2.
            IF length(said) > 32000 THEN said := left(said, 32000) || ' [… cut]'; END IF;
            INSERT INTO sessions.messages (id, session_id, run_id, ordinal, pending, role, content, parts, idempotency_key)
              VALUES (msg, s.id, s.active_run, place, true, 'user', said, with_parts, idem);
            UPDATE sessions.sessions SET next_ordinal = place + 1, message_count = message_count + 1, updated_at = now(), ranked_at = now() WHERE id = s.id;
            RETURN jsonb_build_object('outcome', 'injected', 'runId', s.active_run);
          END IF;
        ELSE
          IF (SELECT count(*) FROM sessions.runs WHERE session_id = s.id AND status = 'queued') >= 10 THEN RETURN '{"outcome":"full"}'; END IF;
          INSERT INTO sessions.runs (id, session_id, user_id, agent_key, channel, chat_id, status, node, boot, lease_until, message_id, idempotency_key)
            VALUES (run, s.id, who, agent, via, chat, 'queued', on_node, on_boot, lease, msg, idem);
          INSERT INTO sessions.messages (id, session_id, run_id, ordinal, role, content, parts) VALUES (msg, s.id, run, place, 'user', said, with_parts);
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
    VALUES (run, s.id, who, agent, via, chat, 'running', on_node, on_boot, lease, msg, idem);
  INSERT INTO sessions.messages (id, session_id, run_id, ordinal, role, content, parts) VALUES (msg, s.id, run, place, 'user', said, with_parts);
  IF seeded = 0 THEN RETURN jsonb_build_object('outcome', 'started', 'runId', run, 'ordinal', place, 'model', '', 'history', '[]'::jsonb, 'opened', true); END IF;
  RETURN jsonb_build_object('outcome', 'started', 'runId', run, 'ordinal', place, 'model', coalesce(s.model_override, ''),
    'history', sessions.history_json(s.id, coalesce(s.summarized_to, 0), place, most), 'summary', nullif(s.summary, ''), 'summarizedTo', s.summarized_to);
END $$;

CREATE FUNCTION sessions.finish_turn(
  run uuid, on_node text, ended sessions.run_status, by_provider text, by_model text, used jsonb, cost bigint, tried jsonb, called integer, shown integer, cause text, made jsonb, consumed jsonb
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  read integer := jsonb_array_length(consumed);
  of_session uuid;
  came integer;
  next jsonb;
BEGIN
  PERFORM FROM sessions.sessions WHERE id = (SELECT session_id FROM sessions.runs WHERE id = run) FOR NO KEY UPDATE;
  UPDATE sessions.runs SET status = ended, provider = by_provider, model = by_model, usage = used, attempts = tried, tool_calls = called, cost_nano_usd = cost, error = cause, finished_at = now()
    WHERE id = run AND status IN ('running', 'queued') AND node = on_node AND (injected <= read OR ended <> 'completed')
    RETURNING session_id, injected INTO of_session, came;
  IF NOT FOUND THEN
    IF NOT EXISTS (SELECT FROM sessions.runs WHERE id = run AND status IN ('running', 'queued') AND node = on_node) THEN RETURN '{"outcome":"lost"}'; END IF;
    RETURN jsonb_build_object('outcome', 'more', 'injected', sessions.injected_json(run, consumed));
  END IF;
  IF came > 0 THEN
    UPDATE sessions.messages m SET ordinal = c.ordinal FROM jsonb_to_recordset(consumed) AS c(id uuid, ordinal bigint) WHERE m.id = c.id;
    UPDATE sessions.messages SET pending = false WHERE run_id = run AND pending;
  END IF;
  INSERT INTO sessions.messages (id, session_id, run_id, ordinal, role, content, parts, thinking, tool_calls, tool_call_id, is_error)
    SELECT n.id, of_session, run, n.ordinal, n.role, n.content, n.parts, n.thinking, n."toolCalls", n."toolCallId", n."isError"
    FROM jsonb_to_recordset(made) AS n(id uuid, ordinal bigint, role sessions.message_role, content text, parts jsonb, thinking text, "toolCalls" jsonb, "toolCallId" text, "isError" boolean);
  UPDATE sessions.sessions SET active_run = nullif(active_run, run), message_count = message_count + jsonb_array_length(made), provider = by_provider, model = by_model,
    context_tokens = coalesce(shown, context_tokens),
    input_tokens = input_tokens + (used->>'promptTokens')::bigint, output_tokens = output_tokens + (used->>'completionTokens')::bigint, updated_at = now()
    WHERE id = of_session
    RETURNING (SELECT jsonb_build_object('id', r.id, 'node', r.node) FROM sessions.runs r WHERE r.session_id = of_session AND r.status = 'queued' ORDER BY r.created_at, r.id LIMIT 1) INTO next;
  RETURN jsonb_build_object('outcome', 'finished', 'next', next->'id', 'nextNode', next->'node');
END $$;

-- For nodes that still run the code before this file.
CREATE OR REPLACE FUNCTION sessions.begin_turn(t jsonb) RETURNS jsonb LANGUAGE sql AS $$
  SELECT sessions.begin_turn(run => (t->>'runId')::uuid, new_session => (t->>'sessionId')::uuid, key => t->>'sessionKey', agent => t->>'agentKey', who => t->>'userId',
    sees_all => (t->>'seesAll')::boolean, via => t->>'channel', chat => t->>'chatId', title => coalesce(t->>'label', ''), msg => (t->>'messageId')::uuid, said => t->>'message',
    with_parts => t->'parts', idem => t->>'idempotencyKey', when_busy => t->>'whenBusy', earlier => t->'history', most => (t->>'historyLimit')::integer,
    on_node => t->>'node', on_boot => t->>'boot', lease_seconds => (t->>'leaseSeconds')::integer)
$$;

CREATE OR REPLACE FUNCTION sessions.finish_turn(f jsonb) RETURNS jsonb LANGUAGE sql AS $$
  SELECT sessions.finish_turn(run => (f->>'runId')::uuid, on_node => f->>'node', ended => (f->>'status')::sessions.run_status, by_provider => f->>'provider', by_model => f->>'model',
    used => f->'usage', cost => (f->>'costNanoUsd')::bigint, tried => f->'attempts', called => coalesce((f->>'toolCalls')::integer, 0), shown => (f->>'contextTokens')::integer,
    cause => f->>'error', made => f->'messages', consumed => f->'consumed')
$$;
