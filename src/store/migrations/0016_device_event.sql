-- What devices recorded themselves, in the order in which it came, and where each one's log ends.
CREATE TABLE device_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL REFERENCES owner (id),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    came_ms INTEGER NOT NULL,
    record BLOB NOT NULL -- docs/protocol/device-events.md
) STRICT;
CREATE UNIQUE INDEX device_event_hash ON device_event (owner, hash);
CREATE INDEX device_event_owner ON device_event (owner, id);

CREATE TABLE device_log (
    owner INTEGER PRIMARY KEY REFERENCES owner (id),
    last INTEGER NOT NULL, -- id of its last event; 0: none
    head BLOB CHECK (head IS NULL OR length(head) = 32), -- hash of that; NULL: forgotten, a new chain may begin
    lost INTEGER NOT NULL, -- events that never came
    breaks INTEGER NOT NULL, -- so often it was not what followed
    unwritten INTEGER NOT NULL -- lost and not shown by a record yet, as its last hello told
) STRICT;
