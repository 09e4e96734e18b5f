-- Keys for data, wrapped by a key-encrypting key of the keeper. No plaintext is ever here.
CREATE TABLE data_key (
    id TEXT PRIMARY KEY, -- unique for all time
    kek TEXT NOT NULL, -- line of its key-encrypting key: 'data' of 'data', 'data.2' …
    generation INTEGER NOT NULL CHECK (generation >= 1), -- of the KEK that wraps it now
    asked INTEGER NOT NULL, -- the log says that the keeper was asked to wrap it under this one
    context TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    rewrapped_ms INTEGER NOT NULL, -- 0: never
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5)
) STRICT;
CREATE INDEX data_key_kek ON data_key (kek, generation, id);

CREATE TRIGGER data_key_fixed BEFORE UPDATE OF id, kek, context, created_ms ON data_key
BEGIN SELECT RAISE(ABORT, 'state: a data key keeps its identity'); END;
CREATE TRIGGER data_key_forward BEFORE UPDATE OF generation ON data_key
WHEN NEW.generation <= OLD.generation
BEGIN SELECT RAISE(ABORT, 'state: a data key goes to no older key-encrypting key'); END;
CREATE TRIGGER data_key_kept BEFORE DELETE ON data_key
BEGIN SELECT RAISE(ABORT, 'state: data keys are kept'); END;
