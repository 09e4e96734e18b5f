-- Where a device comes from and what runs on it: what mass revocations ask for.
ALTER TABLE device ADD COLUMN batch INTEGER REFERENCES name (id); -- NULL: none
-- As it said itself; text in the row: whatever a device says must not grow table name for ever.
ALTER TABLE device ADD COLUMN firmware TEXT NOT NULL DEFAULT '';

-- Written when a device is registered, or got other firmware: never when a certificate is issued.
CREATE INDEX device_batch ON device (batch) WHERE batch IS NOT NULL;
CREATE INDEX device_firmware ON device (product, firmware) WHERE firmware <> '';

DROP TRIGGER device_fixed;
CREATE TRIGGER device_fixed BEFORE UPDATE OF
    owner, id, product, serial, hw_type, registered_ms, batch ON device
BEGIN SELECT RAISE(ABORT, 'state: a device keeps its identity'); END;
