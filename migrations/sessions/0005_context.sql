-- As before, with what the model was shown last.
CREATE OR REPLACE FUNCTION sessions.finish_turn(f jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  run uuid := (f->>'runId')::uuid;
  read integer := jsonb_array_length(f->'consumed');
  of_session uuid;
  came integer;
  next jsonb;
BEGIN
  PERFORM FROM sessions.sessions WHERE id = (SELECT session_id FROM sessions.runs WHERE id = run) FOR NO KEY UPDATE;
  UPDATE sessions.runs SET status = (f->>'status')::sessions.run_status, provider = f->>'provider', model = f->>'model', usage = f->'usage', attempts = f->'attempts', tool_calls = coalesce((f->>'toolCalls')::integer, 0), cost_nano_usd = (f->>'costNanoUsd')::bigint, error = f->>'error', finished_at = now()
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
    context_tokens = coalesce((f->>'contextTokens')::integer, context_tokens),
    input_tokens = input_tokens + (f->'usage'->>'promptTokens')::bigint, output_tokens = output_tokens + (f->'usage'->>'completionTokens')::bigint, updated_at = now()
    WHERE id = of_session
    RETURNING (SELECT jsonb_build_object('id', r.id, 'node', r.node) FROM sessions.runs r WHERE r.session_id = of_session AND r.status = 'queued' ORDER BY r.created_at, r.id LIMIT 1) INTO next;
  RETURN jsonb_build_object('outcome', 'finished', 'next', next->'id', 'nextNode', next->'node');
END $$;
