-- Conversations up to an answer, for requests that go on from it.
CREATE TABLE responses.responses (
  id text PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  user_id text NOT NULL,
  messages jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
SELECT kernel.protect('responses.responses');
CREATE INDEX responses_created ON responses.responses (created_at);
