-- Settings of the gateway that were changed while it ran, for all nodes: one row, once there are any. What a node's configuration file names wins over it there.
CREATE TABLE kernel.settings (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  document jsonb NOT NULL,
  updated_by text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE ON kernel.settings TO {{kernel}};
