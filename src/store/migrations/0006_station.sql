-- Which products' devices a registration authority may enrol; who granted and ended it is in the log.
CREATE TABLE station_grant (
    station TEXT NOT NULL,
    product INTEGER NOT NULL REFERENCES name (id),
    granted_ms INTEGER NOT NULL,
    PRIMARY KEY (station, product)
) STRICT, WITHOUT ROWID;
