-- What the databases of sandboxed plugins need. A plugin's role reaches two functions here, and no table. No id of a plugin gives a schema that begins with an underscore.
CREATE SCHEMA _sandbox;

-- Known to the owner and the gateway only. A role can set every variable whose name it knows, `plugboard.tenant` too; the one that plugins' policies read has this word in its name,
-- so that whoever speaks as a plugin cannot say for which tenant.
CREATE TABLE _sandbox.word AS SELECT 'w' || replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '') AS word;

-- The tenant for which a sandboxed plugin works at present; null for none. For policies.
CREATE FUNCTION _sandbox.tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT nullif(current_setting('plugboard.' || word, true), '')::uuid FROM _sandbox.word $$;

-- Texts that the gateway runs as the owner in a plugin's transaction: audit entries, events and jobs. Only the owner adds one.
CREATE TABLE _sandbox.carried (id text PRIMARY KEY, text text NOT NULL);

-- A plugin's connection has logged in as the plugin. What its transaction takes along is written by the gateway through this; the word says that it is the gateway.
CREATE FUNCTION _sandbox.carry(said text, id text, given text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  known text;
BEGIN
  IF NOT EXISTS (SELECT FROM _sandbox.word WHERE word = said) THEN
    RAISE insufficient_privilege USING MESSAGE = 'only the gateway may carry';
  END IF;
  SELECT text INTO STRICT known FROM _sandbox.carried WHERE carried.id = carry.id;
  EXECUTE known USING given[1], given[2], given[3], given[4], given[5], given[6];
END $$;
REVOKE ALL ON FUNCTION _sandbox.tenant(), _sandbox.carry(text, text, text[]) FROM PUBLIC;

-- kernel.protect for a table of a sandboxed plugin, whatever its migration has made of it: only the plugin's own role reaches it. The tenant is looked up once per statement.
CREATE FUNCTION _sandbox.protect(target regclass, plugin name) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  old name;
BEGIN
  FOR old IN SELECT polname FROM pg_policy WHERE polrelid = target LOOP
    EXECUTE format('DROP POLICY %I ON %s', old, target);
  END LOOP;
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
  EXECUTE format('CREATE POLICY tenant ON %s TO %I USING (tenant_id = (SELECT _sandbox.tenant())) WITH CHECK (tenant_id = (SELECT _sandbox.tenant()))', target, plugin);
  EXECUTE format('CREATE POLICY owner ON %s TO CURRENT_USER USING (true) WITH CHECK (true)', target);
  EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, {{app}}', target);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', target, plugin);
END $$;
REVOKE ALL ON FUNCTION _sandbox.protect(regclass, name) FROM PUBLIC;
