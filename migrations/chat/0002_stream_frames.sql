-- Events of numbered streams, as their clients got them: for one that comes back to another node, or when its own has begun anew. They go when nobody may come back any more.
CREATE TABLE chat.stream_frames (
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  run_id uuid NOT NULL,
  user_id text NOT NULL,
  first integer NOT NULL, -- number of the first of them
  count integer NOT NULL,
  frames text NOT NULL, -- JSON array of their data
  ending text, -- whole or broken, with the last
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (run_id, first)
);
SELECT kernel.protect('chat.stream_frames');
CREATE INDEX stream_frames_created ON chat.stream_frames (created_at);
