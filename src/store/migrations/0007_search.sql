-- Search by what people know, figures of the dashboard, and certificateHold.
--
-- Each index here grows at its end: a certificate is issued now, of one of a few profiles, ends a
-- fixed time later, and comes into a state now; so it costs a page that is in memory already, not
-- one at random as serial numbers, fingerprints and keys do (0001).

-- When a held certificate had been superseded before; 0: it was valid. A release puts it back.
ALTER TABLE cert ADD COLUMN held_over INTEGER NOT NULL DEFAULT 0;

-- What ends when; only of those in force, so that renewal takes out what it replaces.
CREATE INDEX cert_ends ON cert (not_after) WHERE state = 1;
-- How many of which profile, and when: also the rare profile's few among millions of others.
CREATE INDEX cert_profile ON cert (profile, issued_ms);
-- Superseded, held and revoked ones by the time at which they came into that state.
CREATE INDEX cert_state ON cert (state, revoked_s) WHERE state <> 1;

-- Common names and whole subjects in small letters, once for each owner: written with an owner's
-- first certificate, only looked up by each renewal.
CREATE TABLE subject (
    cn TEXT NOT NULL,
    text TEXT NOT NULL,
    owner INTEGER NOT NULL REFERENCES owner (id),
    PRIMARY KEY (cn, text, owner)
) STRICT, WITHOUT ROWID;
INSERT INTO subject (cn, text, owner)
    SELECT DISTINCT substr(t, instr(t, 'cn=') + 3,
                           instr(substr(t, instr(t, 'cn=') + 3) || ',', ',') - 1), t, owner
    FROM (SELECT lower(b.subject) AS t, c.owner AS owner
          FROM cert c JOIN cert_body b ON b.row = c.row)
    WHERE instr(t, 'cn=') > 0;
