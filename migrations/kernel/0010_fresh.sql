-- New embedded data folders are unpacked from an archive that has all tables, made once for everybody. What each database has of its own is made here, which the archive leaves to do.
UPDATE kernel.tenants SET created_at = now(), updated_at = now() WHERE EXISTS (SELECT FROM _sandbox.word WHERE word = '');
UPDATE _sandbox.word SET word = 'w' || replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '') WHERE word = '';
