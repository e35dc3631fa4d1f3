-- Packages of plugins that are not bundled: the tarball as it was added, under the SHA-256 of its bytes. Every node unpacks it for itself.
CREATE TABLE kernel.packages (
  hash text PRIMARY KEY CHECK (hash ~ '^[0-9a-f]{64}$'),
  plugin_id text NOT NULL,
  version text NOT NULL,
  contents jsonb NOT NULL, -- its plugboard.json
  tarball bytea NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
-- It is compressed already.
ALTER TABLE kernel.packages ALTER COLUMN tarball SET STORAGE EXTERNAL;
CREATE INDEX packages_plugin ON kernel.packages (plugin_id);

-- A bundled plugin has a row once something of it was changed. `package_hash` is wanted; `previous_hash` is where a rollback leads, and what runs while the wanted one waits or does not come up.
ALTER TABLE kernel.plugins
  ADD COLUMN origin text NOT NULL DEFAULT 'bundled' CHECK (origin IN ('bundled', 'package')),
  ADD COLUMN package_hash text REFERENCES kernel.packages,
  ADD COLUMN previous_hash text REFERENCES kernel.packages,
  ADD COLUMN proven boolean NOT NULL DEFAULT false, -- a node has run what package_hash is
  ADD CHECK ((origin = 'package') = (package_hash IS NOT NULL));

GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.packages TO {{kernel}};
