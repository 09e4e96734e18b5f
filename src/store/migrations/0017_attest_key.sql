-- Keys that a device's attestation key certified and that certificates may be asked for.
CREATE TABLE attest_key (
    owner INTEGER NOT NULL REFERENCES owner (id),
    key BLOB NOT NULL CHECK (length(key) = 32), -- SHA-256 of its SubjectPublicKeyInfo
    at_ms INTEGER NOT NULL, -- when it was shown
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
