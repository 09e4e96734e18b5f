-- A look-up in a large store costs by the pages that lie anywhere: two less of them.

-- The owner's text again, so that a whole certificate is read without table owner. NULL: recorded
-- before this migration.
ALTER TABLE cert_body ADD COLUMN owner TEXT;

-- Whose key it is, from the index alone.
DROP INDEX pubkey_id8;
CREATE INDEX pubkey_id8 ON pubkey (id8, owner);
