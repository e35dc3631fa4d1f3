-- In nano-USD (10^-9 USD), at the prices of its end. Null: nobody knows, as for a model without a price.
ALTER TABLE passthrough.calls ADD COLUMN cost_nano_usd bigint;
