-- Which of its CA's lists a certificate is on, as its distribution point says: fixed at issuance.
-- 0 = the whole list alone.
ALTER TABLE cert ADD COLUMN shard INTEGER NOT NULL DEFAULT 0;

-- All that a list needs, by list, so that a million entries are one walk through one index.
DROP INDEX cert_revoked;
CREATE INDEX cert_revoked ON cert (ca, shard, row, serial, revoked_s, reason, not_after, state)
WHERE state IN (3, 4);

DROP TRIGGER cert_fixed;
CREATE TRIGGER cert_fixed BEFORE UPDATE OF
    row, ca, serial8, serial, owner, csr4, profile, not_before, not_after, issued_ms, shard ON cert
BEGIN SELECT RAISE(ABORT, 'state: an issued certificate is not altered'); END;

-- Which shards there are.
CREATE INDEX cert_shard ON cert (ca, shard) WHERE shard > 0;
