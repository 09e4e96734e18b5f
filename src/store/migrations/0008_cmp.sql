-- Transactions of the Certificate Management Protocol (RFC 9810): live ones, and the last answers for a while.
CREATE TABLE cmp_transaction (
    id BLOB PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 32), -- transactionID
    owner TEXT NOT NULL,
    protector BLOB NOT NULL CHECK (length(protector) = 32), -- certificate; zero: a MAC
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),
    type INTEGER NOT NULL, -- of the request's body
    request_id INTEGER NOT NULL,
    implicit INTEGER NOT NULL CHECK (implicit IN (0, 1)),
    message BLOB NOT NULL CHECK (length(message) = 32), -- SHA-256 of the one that was answered last
    asked BLOB NOT NULL CHECK (length(asked) = 32), -- as cert_body.csr
    profile TEXT NOT NULL, -- '': by the proof
    nonce BLOB NOT NULL CHECK (length(nonce) = 16),
    cert INTEGER NOT NULL, -- 0: none yet
    deadline_ms INTEGER NOT NULL,
    request BLOB NOT NULL,
    answer BLOB -- NULL: none yet
) STRICT, WITHOUT ROWID;
CREATE INDEX cmp_transaction_due ON cmp_transaction (deadline_ms);
CREATE INDEX cmp_transaction_owner ON cmp_transaction (owner);
