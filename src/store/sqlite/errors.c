#include "store/sqlite/internal.h"

#include <errno.h>

/* Extended code first, primary code (its low octet) behind; the first row that fits counts. */
static const struct {
    int rc;
    enum kw_code code;
} codes[] = {
    {SQLITE_CONSTRAINT_UNIQUE,     KW_E_CONFLICT   },
    {SQLITE_CONSTRAINT_PRIMARYKEY, KW_E_CONFLICT   },
    {SQLITE_CONSTRAINT_ROWID,      KW_E_CONFLICT   },
    {SQLITE_CONSTRAINT_TRIGGER,    KW_E_STATE      },
    {SQLITE_CONSTRAINT_FOREIGNKEY, KW_E_NOT_FOUND  },
    {SQLITE_CONSTRAINT,            KW_E_INPUT      }, /* CHECK, NOT NULL, type */
    {SQLITE_IOERR_NOMEM,           KW_E_MEMORY     },
    {SQLITE_IOERR_SHMSIZE,         KW_E_FULL       }, /* the -shm file could not grow */
    {SQLITE_IOERR_CORRUPTFS,       KW_E_INTEGRITY  },
    {SQLITE_IOERR_DATA,            KW_E_INTEGRITY  },
    {SQLITE_IOERR,                 KW_E_IO         },
    {SQLITE_FULL,                  KW_E_FULL       },
    {SQLITE_CORRUPT,               KW_E_INTEGRITY  },
    {SQLITE_NOTADB,                KW_E_INTEGRITY  },
    {SQLITE_BUSY,                  KW_E_UNAVAILABLE},
    {SQLITE_LOCKED,                KW_E_UNAVAILABLE},
    {SQLITE_PROTOCOL,              KW_E_UNAVAILABLE},
    {SQLITE_READONLY,              KW_E_IO         },
    {SQLITE_CANTOPEN,              KW_E_IO         },
    {SQLITE_PERM,                  KW_E_IO         },
    {SQLITE_NOMEM,                 KW_E_MEMORY     },
    {SQLITE_TOOBIG,                KW_E_TOO_LARGE  },
    {SQLITE_INTERRUPT,             KW_E_TIMEOUT    }, /* a reader's deadline */
};

enum kw_code sqlite_code(int rc, int os_errno, const char *message)
{
    bool disk = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;

    if (disk && (os_errno == ENOSPC || os_errno == EDQUOT)) {
        return KW_E_FULL;
    }
    if (rc == SQLITE_CONSTRAINT_TRIGGER && strncmp(message, "conflict:", 9) == 0) {
        return KW_E_CONFLICT;
    }
    for (size_t i = 0; i < KW_COUNT(codes); i++) {
        if (codes[i].rc == rc || codes[i].rc == (rc & 0xff)) {
            return codes[i].code;
        }
    }
    return KW_E_INTERNAL;
}

/* After these the transaction is gone or must not be trusted, whatever a change makes of it. */
static bool is_breaking(enum kw_code code)
{
    return code == KW_E_FULL || code == KW_E_IO || code == KW_E_INTEGRITY || code == KW_E_MEMORY ||
           code == KW_E_UNAVAILABLE;
}

kw_status sqlite_fail(struct kw_op *op, struct sqlite_conn *conn, int rc, const char *doing)
{
    const char *message = sqlite3_errmsg(conn->db);
    enum kw_code code = sqlite_code(rc, sqlite3_system_errno(conn->db), message);

    if (is_breaking(code)) {
        conn->base.broken = code;
    }
    return FAIL(op, code, "%s in the database: %s (%d)", doing, message, rc);
}
