-- Events for several users. Nodes of the version before write and read `to_user` alone.
ALTER TABLE kernel.outbox ADD COLUMN target jsonb;
