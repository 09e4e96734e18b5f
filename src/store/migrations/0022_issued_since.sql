-- Certificates that the owners of a plan's got between its making and the end of its run: they are not in
-- it, and whoever revokes for a stolen key must hear of them.
ALTER TABLE revoke_plan ADD COLUMN issued_since INTEGER NOT NULL DEFAULT 0;
