-- Batches of units, keys that nobody may use, what was taken out of use together, and who follows
-- the log.
CREATE TABLE batch (
    name INTEGER PRIMARY KEY REFERENCES name (id), -- as device.batch
    product INTEGER NOT NULL REFERENCES name (id),
    quota INTEGER NOT NULL, -- units at most; 0: any number
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),
    opened_ms INTEGER NOT NULL,
    closed_ms INTEGER NOT NULL, -- 0: not yet
    checked INTEGER NOT NULL, -- RSA keys compared at its close
    units INTEGER NOT NULL, -- devices of it
    finding TEXT NOT NULL -- why it is in quarantine, or what somebody said about it
) STRICT;
CREATE TRIGGER batch_fixed BEFORE UPDATE OF name, product, opened_ms ON batch
BEGIN SELECT RAISE(ABORT, 'state: a batch keeps its identity'); END;
CREATE TRIGGER batch_kept BEFORE DELETE ON batch
BEGIN SELECT RAISE(ABORT, 'state: batches are kept'); END;

-- Hashes of public keys whose private half is known to others, by how they are made.
CREATE TABLE blocked_key (
    kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),
    id BLOB NOT NULL CHECK (length(id) BETWEEN 10 AND 32),
    list INTEGER NOT NULL REFERENCES name (id),
    added_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

-- Devices taken out of use for a while, and which of their certificates went with them.
CREATE TABLE suspension (
    owner INTEGER PRIMARY KEY REFERENCES owner (id),
    cause TEXT NOT NULL, -- 'operator:NAME' or 'batch:NAME'
    reason TEXT NOT NULL,
    before INTEGER NOT NULL, -- state of the device
    at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX suspension_cause ON suspension (cause);
CREATE TABLE held_cert (
    cert INTEGER PRIMARY KEY REFERENCES cert (row),
    owner INTEGER NOT NULL REFERENCES owner (id),
    before INTEGER NOT NULL, -- state of the certificate
    before_s INTEGER NOT NULL -- its revoked_s
) STRICT;
CREATE INDEX held_cert_owner ON held_cert (owner);

-- Who reads the change feed, and how far each had come when.
CREATE TABLE consumer (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    principal TEXT NOT NULL,
    cursor INTEGER NOT NULL, -- entries below it were taken
    at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE consumer_ack (
    consumer INTEGER NOT NULL REFERENCES consumer (id),
    cursor INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (consumer, cursor)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER consumer_forward BEFORE UPDATE OF cursor ON consumer
WHEN NEW.cursor < OLD.cursor
BEGIN SELECT RAISE(ABORT, 'state: what was acknowledged stays so'); END;

-- Which certificate a device called its own in its last hello.
CREATE TABLE device_said (
    owner INTEGER PRIMARY KEY REFERENCES owner (id),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    at_ms INTEGER NOT NULL
) STRICT;

-- A batch's devices in the order of their ids; in the place of device_batch, which it begins like.
DROP INDEX device_batch;
CREATE INDEX device_batch ON device (batch, id) WHERE batch IS NOT NULL;
