-- How many certificates of a profile were issued in which hour since 1970: the dashboard's sums,
-- whatever the number of certificates. Certificates are never taken away or altered, so it only grows.
CREATE TABLE issued (
    profile INTEGER NOT NULL REFERENCES name (id),
    hour INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (profile, hour)
) STRICT, WITHOUT ROWID;
INSERT INTO issued (profile, hour, n)
    SELECT profile, issued_ms / 3600000, count(*) FROM cert GROUP BY 1, 2;
CREATE TRIGGER cert_counted AFTER INSERT ON cert
BEGIN
    INSERT INTO issued (profile, hour, n) VALUES (NEW.profile, NEW.issued_ms / 3600000, 1)
    ON CONFLICT (profile, hour) DO UPDATE SET n = n + 1;
END;

-- All that a revocation list needs of a certificate, so that a long one reads the index alone.
DROP INDEX cert_revoked;
CREATE INDEX cert_revoked ON cert (ca, row, serial, revoked_s, reason, not_after, state, shard)
    WHERE state IN (3, 4);
