CREATE TABLE clippings.clippings (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  user_id text NOT NULL,
  title text NOT NULL,
  text text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
SELECT kernel.protect('clippings.clippings');
CREATE INDEX clippings_user ON clippings.clippings (tenant_id, user_id, created_at);
CREATE INDEX clippings_age ON clippings.clippings (tenant_id, created_at);
