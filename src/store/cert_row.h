/* A certificate's row as both cert.c and cert_list.c read it. */
#ifndef STORE_CERT_ROW_H
#define STORE_CERT_ROW_H

#include "store/query.h"
#include "store/store.h"

/* The order of columns that cert_row_read() takes. */
#define CERT_COLUMNS                                                                               \
    "SELECT c.row, a.text, c.serial, o.text, p.text, b.pubkey, b.fingerprint, b.csr,"              \
    " c.not_before, c.not_after, c.state, c.revoked_s, c.reason, c.issued_ms, b.subject, b.der,"   \
    " c.shard"

kw_status cert_row_read(struct kw_op *op, const struct store_rows *rows, struct store_cert *ret);

#endif
