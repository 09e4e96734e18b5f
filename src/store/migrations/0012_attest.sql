-- Attestation: what each device proved, what it is about to prove, and whose EKs are believed.
CREATE TABLE attest (
    owner INTEGER PRIMARY KEY REFERENCES owner (id),
    verdict INTEGER NOT NULL CHECK (verdict BETWEEN 0 AND 3),
    level INTEGER NOT NULL CHECK (level BETWEEN 0 AND 3),
    simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    valid_until_ms INTEGER NOT NULL, -- of trust; 0: none
    reason TEXT NOT NULL, -- model/attest.h
    detail TEXT NOT NULL,
    history INTEGER NOT NULL, -- a bit a round, the last one lowest; 1: it failed
    rounds INTEGER NOT NULL,
    round_ms INTEGER NOT NULL,
    trusted_ms INTEGER NOT NULL,
    nonce_ms INTEGER NOT NULL, -- when the newest nonce that was used had been given
    root_of_trust TEXT NOT NULL, -- as it said when its keys were bound
    bound_ms INTEGER NOT NULL, -- 0: no AK
    ek BLOB, -- SHA-256 of the EK's SubjectPublicKeyInfo
    ek_how INTEGER NOT NULL CHECK (ek_how BETWEEN 0 AND 3), -- chain, pinned, unproven
    ek_name TEXT NOT NULL, -- manufacturer and model, for people
    ak BLOB, -- TPMT_PUBLIC
    signer BLOB, -- the AK's qualified name
    key BLOB, -- SHA-256 of the SubjectPublicKeyInfo that the AK certified
    statement BLOB, -- extraData of the last quote
    reset_count INTEGER NOT NULL,
    restart_count INTEGER NOT NULL,
    clock_ms INTEGER NOT NULL,
    clock_safe INTEGER NOT NULL CHECK (clock_safe IN (0, 1)),
    tpm_firmware INTEGER NOT NULL,
    reference TEXT NOT NULL, -- the set of the policy that its events fit
    policy_version INTEGER NOT NULL,
    events INTEGER NOT NULL, -- of its log, up to the quote
    pcrs BLOB -- the quoted digest
) STRICT;
CREATE UNIQUE INDEX attest_ek ON attest (ek) WHERE ek IS NOT NULL;
CREATE INDEX attest_verdict ON attest (verdict, owner);

-- An enrolment that waits for TPM2_ActivateCredential; one a device.
CREATE TABLE attest_session (
    owner INTEGER PRIMARY KEY REFERENCES owner (id),
    session BLOB NOT NULL CHECK (length(session) = 32),
    secret BLOB NOT NULL CHECK (length(secret) = 32), -- SHA-256 of it
    expires_ms INTEGER NOT NULL,
    root_of_trust TEXT NOT NULL,
    simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    ek BLOB NOT NULL CHECK (length(ek) = 32),
    ek_how INTEGER NOT NULL CHECK (ek_how BETWEEN 1 AND 3),
    ek_name TEXT NOT NULL,
    ak BLOB NOT NULL
) STRICT;

-- Roots and intermediates of EK certificates, and EKs that are believed without any.
CREATE TABLE attest_root (
    id BLOB PRIMARY KEY CHECK (length(id) = 32), -- SHA-256 of the DER
    kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3), -- root, intermediate, pinned EK
    simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    name TEXT NOT NULL,
    der BLOB NOT NULL,
    added_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
