-- The first schema. Never edit a migration that was released: add the next number.
--
-- Size decides the shape (10 million certificates): names and owners are numbers; the narrow table
-- cert is all that a status check or a scan reads, everything long lies in cert_body; random
-- 16 to 32 octet values are indexed by 8 of their octets (18 octets an entry), and triggers compare
-- the whole value, so uniqueness stays a rule of the schema.
-- RAISE texts: 'conflict: …' becomes KW_E_CONFLICT, 'state: …' KW_E_STATE.

CREATE TABLE schema_version (
    version INTEGER NOT NULL
) STRICT;

CREATE TABLE name (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE owner (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE device (
    owner INTEGER PRIMARY KEY REFERENCES owner (id), -- 'device:ID'; unique for all time
    id TEXT NOT NULL, -- again, so that a status check reads one page less
    product INTEGER NOT NULL REFERENCES name (id),
    serial TEXT NOT NULL,
    hw_type INTEGER NOT NULL REFERENCES name (id),
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),
    registered_ms INTEGER NOT NULL,
    last_seen_ms INTEGER NOT NULL,
    agent TEXT NOT NULL,
    root_of_trust TEXT NOT NULL,
    simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    secret_hash BLOB,
    secret_expires_ms INTEGER NOT NULL,
    secret_used_csr BLOB,
    secret_failures INTEGER NOT NULL,
    UNIQUE (product, serial)
) STRICT;

CREATE TABLE pubkey (
    row INTEGER PRIMARY KEY,
    id8 INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 32),
    owner INTEGER NOT NULL REFERENCES owner (id),
    profile INTEGER NOT NULL REFERENCES name (id),
    class INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),
    alg INTEGER NOT NULL REFERENCES name (id),
    custody INTEGER NOT NULL REFERENCES name (id),
    created_ms INTEGER NOT NULL,
    state_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX pubkey_id8 ON pubkey (id8);

CREATE TABLE cert (
    row INTEGER PRIMARY KEY,
    ca INTEGER NOT NULL REFERENCES name (id),
    serial8 INTEGER NOT NULL,
    serial BLOB NOT NULL CHECK (length(serial) BETWEEN 1 AND 20),
    owner INTEGER NOT NULL REFERENCES owner (id),
    csr4 INTEGER NOT NULL, -- 4 octets of cert_body.csr
    profile INTEGER NOT NULL REFERENCES name (id),
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    revoked_s INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    issued_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX cert_serial8 ON cert (serial8);
CREATE INDEX cert_owner ON cert (owner, csr4);
CREATE INDEX cert_revoked ON cert (ca, row, serial, revoked_s, reason) WHERE state IN (3, 4);

CREATE TABLE cert_body (
    row INTEGER PRIMARY KEY,
    fingerprint8 INTEGER NOT NULL,
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    csr BLOB,
    pubkey BLOB NOT NULL,
    subject TEXT NOT NULL,
    der BLOB NOT NULL
) STRICT;
CREATE INDEX cert_body_fingerprint8 ON cert_body (fingerprint8);

CREATE TABLE blob (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    content BLOB NOT NULL
) STRICT;

CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;

CREATE TABLE log (
    idx INTEGER PRIMARY KEY,
    entry BLOB NOT NULL
) STRICT;

CREATE TABLE tile (
    place INTEGER PRIMARY KEY, -- level << 56 | index
    hashes BLOB NOT NULL
) STRICT;

-- Running totals: counting 10 million rows for every dashboard would take seconds.
CREATE TABLE tally (
    kind INTEGER PRIMARY KEY,
    n INTEGER NOT NULL
) STRICT;
INSERT INTO tally (kind, n) VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0);

CREATE TRIGGER cert_unique BEFORE INSERT ON cert
WHEN EXISTS (SELECT 1 FROM cert c
             WHERE c.serial8 = NEW.serial8 AND c.serial = NEW.serial AND c.ca = NEW.ca)
BEGIN SELECT RAISE(ABORT, 'conflict: the serial number was given before'); END;
CREATE TRIGGER cert_body_unique BEFORE INSERT ON cert_body
WHEN EXISTS (SELECT 1 FROM cert_body b
             WHERE b.fingerprint8 = NEW.fingerprint8 AND b.fingerprint = NEW.fingerprint)
BEGIN SELECT RAISE(ABORT, 'conflict: the certificate is known already'); END;
CREATE TRIGGER pubkey_unique BEFORE INSERT ON pubkey
WHEN EXISTS (SELECT 1 FROM pubkey k WHERE k.id8 = NEW.id8 AND k.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'conflict: the key is known already'); END;

CREATE TRIGGER cert_stays_revoked BEFORE UPDATE OF state ON cert
WHEN OLD.state = 4 AND NEW.state <> 4
BEGIN SELECT RAISE(ABORT, 'state: a revoked certificate stays revoked'); END;
CREATE TRIGGER cert_fixed BEFORE UPDATE OF
    row, ca, serial8, serial, owner, csr4, profile, not_before, not_after, issued_ms ON cert
BEGIN SELECT RAISE(ABORT, 'state: an issued certificate is not altered'); END;
CREATE TRIGGER cert_body_fixed BEFORE UPDATE ON cert_body
BEGIN SELECT RAISE(ABORT, 'state: an issued certificate is not altered'); END;
CREATE TRIGGER pubkey_fixed BEFORE UPDATE OF
    row, id8, id, owner, profile, class, alg, created_ms ON pubkey
BEGIN SELECT RAISE(ABORT, 'state: a public key keeps its owner and use'); END;
CREATE TRIGGER device_fixed BEFORE UPDATE OF
    owner, id, product, serial, hw_type, registered_ms ON device
BEGIN SELECT RAISE(ABORT, 'state: a device keeps its identity'); END;
CREATE TRIGGER name_fixed BEFORE UPDATE ON name
BEGIN SELECT RAISE(ABORT, 'state: a name is for ever'); END;
CREATE TRIGGER owner_fixed BEFORE UPDATE ON owner
BEGIN SELECT RAISE(ABORT, 'state: an owner is for ever'); END;
CREATE TRIGGER log_fixed BEFORE UPDATE ON log
BEGIN SELECT RAISE(ABORT, 'state: a log entry is for ever'); END;
CREATE TRIGGER tile_grows BEFORE UPDATE ON tile
WHEN NEW.place <> OLD.place OR length(NEW.hashes) < length(OLD.hashes)
BEGIN SELECT RAISE(ABORT, 'state: a tile only grows'); END;

CREATE TRIGGER cert_kept BEFORE DELETE ON cert
BEGIN SELECT RAISE(ABORT, 'state: certificates are kept'); END;
CREATE TRIGGER cert_body_kept BEFORE DELETE ON cert_body
BEGIN SELECT RAISE(ABORT, 'state: certificates are kept'); END;
CREATE TRIGGER pubkey_kept BEFORE DELETE ON pubkey
BEGIN SELECT RAISE(ABORT, 'state: public keys are kept'); END;
CREATE TRIGGER device_kept BEFORE DELETE ON device
BEGIN SELECT RAISE(ABORT, 'state: devices are kept'); END;
CREATE TRIGGER name_kept BEFORE DELETE ON name
BEGIN SELECT RAISE(ABORT, 'state: names are kept'); END;
CREATE TRIGGER owner_kept BEFORE DELETE ON owner
BEGIN SELECT RAISE(ABORT, 'state: owners are kept'); END;
CREATE TRIGGER log_kept BEFORE DELETE ON log
BEGIN SELECT RAISE(ABORT, 'state: log entries are kept'); END;
CREATE TRIGGER tile_kept BEFORE DELETE ON tile
BEGIN SELECT RAISE(ABORT, 'state: tiles are kept'); END;
