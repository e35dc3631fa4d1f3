-- A sender of a channel is somebody else in each tenant and account. Browsers alone are looked up before a tenant is known, by an id that the gateway gave.
ALTER TABLE kernel.pairings DROP CONSTRAINT pairings_channel_sender_id_key;
ALTER TABLE kernel.pairings ADD CONSTRAINT pairings_sender UNIQUE (tenant_id, channel, account_id, sender_id);
CREATE UNIQUE INDEX pairings_browser ON kernel.pairings (sender_id) WHERE channel = 'browser';
