-- Texts that the plugins of a tenant share. Whoever may enter the tenant reads them: no secrets.
CREATE TABLE system_configs.values (
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  key varchar(100) NOT NULL,
  value text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, key)
);
SELECT kernel.protect('system_configs.values');
