-- The last heartbeat of each device: two that share an identity cannot both go on from it.
CREATE TABLE heartbeat (
    owner INTEGER PRIMARY KEY REFERENCES owner (id),
    counter INTEGER NOT NULL CHECK (counter > 0),
    link BLOB NOT NULL CHECK (length(link) = 32),
    previous BLOB NOT NULL CHECK (length(previous) = 32),
    at_ms INTEGER NOT NULL
) STRICT;
