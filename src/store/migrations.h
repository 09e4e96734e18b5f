/* The numbered migrations, built in. */
#ifndef STORE_MIGRATIONS_H
#define STORE_MIGRATIONS_H

#include "store/driver.h"

/**
 * Bring a schema from version `from` (0 = empty) to the newest, inside the caller's transaction.
 * KW_E_UNSUPPORTED: it is newer than this program.
 */
kw_status store_migrate(struct kw_op *op, struct store_conn *conn, int64_t from);
int64_t store_schema_newest(void);

#endif
