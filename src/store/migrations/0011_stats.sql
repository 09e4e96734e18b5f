-- Whether an owner has a certificate in force, from the index alone: a device's certificates lie side
-- by side in it, so that issuing touches the same page as before.
DROP INDEX cert_owner;
CREATE INDEX cert_owner ON cert (owner, csr4, state, not_after);
