/* A certificate's row as both cert.c and cert_find.c read it. */
#ifndef STORE_CERT_ROW_H
#define STORE_CERT_ROW_H

#include "store/query.h"
#include "store/store.h"

/* The order of columns that cert_row_read() takes. */
#define CERT_WHOLE                                                                                 \
    "SELECT c.row, a.text, c.serial,"                                                              \
    " coalesce(b.owner, (SELECT text FROM owner WHERE id = c.owner)), p.text, b.pubkey,"           \
    " b.fingerprint, b.csr, c.not_before, c.not_after, c.state, c.revoked_s, c.reason,"            \
    " c.issued_ms, b.subject, b.der, c.shard"                                                      \
    " FROM cert c JOIN cert_body b ON b.row = c.row JOIN name p ON p.id = c.profile"               \
    " JOIN name a ON a.id = c.ca "

kw_status cert_row_read(struct kw_op *op, const struct store_rows *rows, struct store_cert *ret);

#endif
