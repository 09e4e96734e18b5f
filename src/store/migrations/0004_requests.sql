-- Requests for certificates that an officer decides on. A finished one keeps its row, not its request.
CREATE TABLE ra_request (
    id INTEGER PRIMARY KEY,
    owner INTEGER NOT NULL REFERENCES owner (id),
    profile INTEGER NOT NULL REFERENCES name (id),
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32), -- of the request, as in cert_body.csr
    key BLOB NOT NULL CHECK (length(key) = 32), -- as pubkey.id
    subject TEXT NOT NULL, -- as asked, for people
    via TEXT NOT NULL, -- '': the owner itself
    csr BLOB, -- NULL: none, or decided
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
    opened_ms INTEGER NOT NULL,
    lapses_ms INTEGER NOT NULL,
    decided_ms INTEGER NOT NULL, -- 0: not yet
    decided_by TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE INDEX ra_request_owner ON ra_request (owner, state);
CREATE INDEX ra_request_open ON ra_request (lapses_ms) WHERE state IN (1, 2);
CREATE INDEX ra_request_waiting ON ra_request (id) WHERE state = 1;

CREATE TRIGGER ra_request_fixed BEFORE UPDATE OF
    id, owner, profile, sha256, key, subject, via, opened_ms ON ra_request
BEGIN SELECT RAISE(ABORT, 'state: a request is not altered'); END;
CREATE TRIGGER ra_request_final BEFORE UPDATE OF state ON ra_request
WHEN OLD.state IN (3, 4, 5)
BEGIN SELECT RAISE(ABORT, 'state: a decided request stays so'); END;
CREATE TRIGGER ra_request_kept BEFORE DELETE ON ra_request
BEGIN SELECT RAISE(ABORT, 'state: requests are kept'); END;
