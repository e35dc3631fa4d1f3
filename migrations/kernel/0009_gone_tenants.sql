-- Tenants that were removed, until all that plugins kept of them is gone too.
CREATE TABLE kernel.gone_tenants (
  id uuid PRIMARY KEY,
  gone_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, DELETE ON kernel.gone_tenants TO {{kernel}};

-- Deletes rows of a tenant that is gone from the tables of plugins, at most so many of each, and says how many. What others still name waits for those to go.
CREATE FUNCTION kernel.forget_tenant(gone uuid, most integer) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  target regclass;
  touched bigint;
  total bigint := 0;
BEGIN
  IF EXISTS (SELECT FROM kernel.tenants t WHERE t.id = gone) THEN
    RAISE 'the tenant is still there';
  END IF;
  FOR target IN
    SELECT c.oid FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname <> 'kernel'
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.atttypid = 'uuid'::regtype AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND c.relforcerowsecurity
    ORDER BY c.oid DESC -- what names rows was mostly made after what is named
  LOOP
    BEGIN
      EXECUTE format('DELETE FROM %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %s WHERE tenant_id = $1 LIMIT $2))', target, target) USING gone, most;
      GET DIAGNOSTICS touched = ROW_COUNT;
      total := total + touched;
    EXCEPTION WHEN foreign_key_violation OR undefined_table THEN
      NULL;
    END;
  END LOOP;
  RETURN total;
END $$;
REVOKE ALL ON FUNCTION kernel.forget_tenant(uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kernel.forget_tenant(uuid, integer) TO {{kernel}};
