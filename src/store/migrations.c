#include "store/migrations.h"

#include <stdio.h>

struct migration {
    int64_t version;
    const char *sql;
};

#include "store/migrations_sql.h"

int64_t store_schema_newest(void)
{
    return migrations[KW_COUNT(migrations) - 1].version;
}

kw_status store_migrate(struct kw_op *op, struct store_conn *conn, int64_t from)
{
    char note[96] = "";
    int64_t newest = store_schema_newest();

    ENSURE(op, from >= 0 && from <= newest, KW_E_UNSUPPORTED,
           "the schema has version %lld, this program knows %lld", (long long)from,
           (long long)newest);
    for (size_t i = (size_t)from; i < KW_COUNT(migrations); i++) {
        TRY(op, conn->driver->exec(op, conn, migrations[i].sql), "migration %lld",
            (long long)migrations[i].version);
    }
    if (from == newest) {
        return KW_OK;
    }
    (void)snprintf(note, sizeof(note), /* always fits */
                   "DELETE FROM schema_version; INSERT INTO schema_version (version) VALUES (%lld)",
                   (long long)newest);
    return conn->driver->exec(op, conn, note);
}
