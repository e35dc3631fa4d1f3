-- What a tenant says that a model costs, before what the table of the plugin says. In nano-USD (10^-9 USD) for a million tokens; null: as the whole it is a part of.
CREATE TABLE prices.prices (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL DEFAULT kernel.bound_tenant(),
  provider varchar(100) NOT NULL DEFAULT '', -- the provider's name; empty: at each of them
  model varchar(255) NOT NULL,
  input bigint NOT NULL CHECK (input >= 0),
  output bigint NOT NULL CHECK (output >= 0),
  cached_input bigint CHECK (cached_input >= 0),
  cache_write bigint CHECK (cache_write >= 0),
  reasoning bigint CHECK (reasoning >= 0),
  note varchar(500) NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, provider, model)
);
SELECT kernel.protect('prices.prices');
