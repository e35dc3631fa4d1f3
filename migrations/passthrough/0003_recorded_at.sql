-- When a call was recorded: rows are written behind the answers, so a call that has begun in an hour may turn up in the next one.
-- What is added up by the hour goes by this time, because no row comes to an hour that has passed.
ALTER TABLE passthrough.calls ADD COLUMN recorded_at timestamptz;
UPDATE passthrough.calls SET recorded_at = started_at + make_interval(secs => duration_ms / 1000.0);
ALTER TABLE passthrough.calls ALTER COLUMN recorded_at SET DEFAULT now(), ALTER COLUMN recorded_at SET NOT NULL;
CREATE INDEX calls_recorded ON passthrough.calls (tenant_id, recorded_at);
