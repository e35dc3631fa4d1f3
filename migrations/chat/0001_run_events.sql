-- What a run under way has told so far, in batches, for other nodes and for clients that come back. A finished run keeps its answer and not its deltas.
CREATE TABLE chat.run_events (
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  run_id uuid NOT NULL,
  first_seq integer NOT NULL,
  user_id text NOT NULL,
  events jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (run_id, first_seq)
);
SELECT kernel.protect('chat.run_events');
CREATE INDEX run_events_created ON chat.run_events (created_at);
