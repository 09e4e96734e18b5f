-- What makers of TPMs took back: CRLs of the CAs of endorsement keys.
CREATE TABLE attest_crl (
    issuer BLOB PRIMARY KEY CHECK (length(issuer) = 32), -- SHA-256 of its SubjectPublicKeyInfo
    name TEXT NOT NULL,
    this_update INTEGER NOT NULL, -- seconds
    next_update INTEGER NOT NULL, -- 0: none
    n INTEGER NOT NULL,
    added_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE attest_revoked (
    issuer BLOB NOT NULL,
    serial BLOB NOT NULL,
    PRIMARY KEY (issuer, serial)
) STRICT, WITHOUT ROWID;

ALTER TABLE attest ADD COLUMN ek_issuer BLOB; -- of the EK certificate: its issuer's key, its serial number
ALTER TABLE attest ADD COLUMN ek_serial BLOB;
ALTER TABLE attest_session ADD COLUMN ek_issuer BLOB;
ALTER TABLE attest_session ADD COLUMN ek_serial BLOB;
CREATE INDEX attest_ek_issuer ON attest (ek_issuer, ek_serial) WHERE ek_issuer IS NOT NULL;
