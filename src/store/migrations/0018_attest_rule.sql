-- The patience with failed rounds, and trust that operators took away.
CREATE TABLE attest_rule (
    product TEXT PRIMARY KEY, -- '' = of all that have none of their own
    failed INTEGER NOT NULL CHECK (failed BETWEEN 1 AND rounds),
    rounds INTEGER NOT NULL CHECK (rounds BETWEEN 1 AND 16),
    trusted_hours INTEGER NOT NULL CHECK (trusted_hours > 0),
    fresh_minutes INTEGER NOT NULL CHECK (fresh_minutes > 0),
    changed_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE attest ADD COLUMN taken INTEGER NOT NULL DEFAULT 0 CHECK (taken BETWEEN 0 AND 2); -- of the device, of its reference set
ALTER TABLE attest ADD COLUMN before INTEGER NOT NULL DEFAULT 0 CHECK (before BETWEEN 0 AND 3); -- the verdict without that
ALTER TABLE attest ADD COLUMN before_until_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX attest_of_reference ON attest (reference, taken, verdict) WHERE reference <> '';
