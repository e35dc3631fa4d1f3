-- The encryption key that stored secrets are sealed with, or are on their way to, once it has been rotated. A node without it does not start. One row, or none.
CREATE TABLE kernel.encryption (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  key_id text NOT NULL,
  total integer NOT NULL, -- secrets that were sealed with older keys when it began
  resealed integer NOT NULL DEFAULT 0,
  began_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz
);
GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.encryption TO {{kernel}};

-- What the passwords of plugins' logins are made of, sealed: every node comes to the same ones, whichever encryption key is the newest.
ALTER TABLE _sandbox.word ADD COLUMN login text;
