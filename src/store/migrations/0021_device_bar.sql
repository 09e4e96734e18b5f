-- A certificate of the device was revoked for what the device did, or is on hold: it enrols no more
-- until an operator lets it. barred_ms 0 = it may.
ALTER TABLE device ADD COLUMN barred_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN barred_reason INTEGER NOT NULL DEFAULT 0;
