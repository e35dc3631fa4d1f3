CREATE TABLE mallory.loot (
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  id int NOT NULL,
  what text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
SELECT kernel.protect('mallory.loot');
