CREATE TABLE providers.providers (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  name text NOT NULL,
  display_name text,
  provider_type text NOT NULL,
  api_base text,
  api_key text, -- sealed
  enabled boolean NOT NULL DEFAULT true,
  settings jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, name)
);
SELECT kernel.protect('providers.providers');
