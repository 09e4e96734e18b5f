-- Nonces that devices used, reference sets of measured boots, and products that have a secure element.
ALTER TABLE attest ADD COLUMN told_until_ms INTEGER NOT NULL DEFAULT 0; -- the end of trust that an event told last

-- Kept while the nonce could still be taken; attest.nonce_ms is the newest that was dropped here.
CREATE TABLE attest_nonce (
    owner INTEGER NOT NULL REFERENCES owner (id),
    nonce BLOB NOT NULL CHECK (length(nonce) = 32),
    at_ms INTEGER NOT NULL, -- when it was given
    PRIMARY KEY (owner, nonce)
) STRICT, WITHOUT ROWID;

-- What a boot of a release measures: events, not values of PCRs.
CREATE TABLE attest_reference (
    name TEXT PRIMARY KEY,
    product TEXT NOT NULL, -- '' = of all
    open INTEGER NOT NULL CHECK (open IN (0, 1)),
    pcrs BLOB NOT NULL CHECK (length(pcrs) = 3), -- events of these are judged
    n INTEGER NOT NULL,
    events BLOB NOT NULL, -- sorted: PCR (1), type (4, big-endian), SHA-256 (32)
    added_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Operators' word that the keys of a product's units lie in a secure element.
CREATE TABLE attest_element (
    product TEXT PRIMARY KEY,
    added_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
