-- One row for each call of a provider that no agent made. Written in batches, behind the answer.
CREATE TABLE passthrough.calls (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  user_id text NOT NULL,
  key_id text,
  channel text NOT NULL,
  provider text NOT NULL,
  model text NOT NULL,
  status text NOT NULL,
  usage jsonb NOT NULL,
  error text,
  started_at timestamptz NOT NULL,
  duration_ms integer NOT NULL
);
SELECT kernel.protect('passthrough.calls');
CREATE INDEX calls_newest ON passthrough.calls (tenant_id, started_at);
