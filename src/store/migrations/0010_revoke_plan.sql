-- Revocations of many certificates: exactly which, how far, and who enforces them since when.
CREATE TABLE revoke_plan (
    id INTEGER PRIMARY KEY,
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 7),
    reason INTEGER NOT NULL,
    hold INTEGER NOT NULL CHECK (hold IN (0, 1)),
    replace_first INTEGER NOT NULL CHECK (replace_first IN (0, 1)),
    deadline_s INTEGER NOT NULL, -- of replacements, after the start; 0: none
    selection TEXT NOT NULL,
    summary TEXT NOT NULL, -- KIND TAB NAME TAB N, a line each
    digest BLOB NOT NULL,
    n INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    started_ms INTEGER NOT NULL, -- 0: not yet
    started_by TEXT NOT NULL,
    ended_ms INTEGER NOT NULL,
    overdue INTEGER NOT NULL CHECK (overdue IN (0, 1)), -- replaced or not: revoke now
    last_row INTEGER NOT NULL, -- of what is done
    done INTEGER NOT NULL,
    passed_over INTEGER NOT NULL, -- revoked already
    log_size INTEGER NOT NULL -- with its last revocation
) STRICT;
CREATE TABLE revoke_item (
    plan INTEGER NOT NULL REFERENCES revoke_plan (id),
    row INTEGER NOT NULL REFERENCES cert (row),
    PRIMARY KEY (plan, row)
) STRICT, WITHOUT ROWID;
CREATE TABLE revoke_party (
    plan INTEGER NOT NULL REFERENCES revoke_plan (id),
    party TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (plan, party)
) STRICT, WITHOUT ROWID;
-- The plan that waits for this device to renew.
ALTER TABLE device ADD COLUMN renew_plan INTEGER REFERENCES revoke_plan (id);
CREATE INDEX device_renew_plan ON device (renew_plan) WHERE renew_plan IS NOT NULL;

CREATE TRIGGER revoke_plan_fixed BEFORE UPDATE OF
    id, reason, hold, replace_first, deadline_s, selection, summary, digest, n, created_ms,
    created_by ON revoke_plan
WHEN OLD.state <> 1
BEGIN SELECT RAISE(ABORT, 'state: a plan is not altered'); END;
CREATE TRIGGER revoke_plan_kept BEFORE DELETE ON revoke_plan
BEGIN SELECT RAISE(ABORT, 'state: plans are kept'); END;
CREATE TRIGGER revoke_item_fixed BEFORE UPDATE ON revoke_item
BEGIN SELECT RAISE(ABORT, 'state: a plan is not altered'); END;
CREATE TRIGGER revoke_item_gathered BEFORE INSERT ON revoke_item
WHEN (SELECT state FROM revoke_plan WHERE id = NEW.plan) <> 1
BEGIN SELECT RAISE(ABORT, 'state: a plan is not altered'); END;
CREATE TRIGGER revoke_item_kept BEFORE DELETE ON revoke_item
BEGIN SELECT RAISE(ABORT, 'state: plans are kept'); END;
