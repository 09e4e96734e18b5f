/* A published CRL: immutable, in memory, with what HTTP says of it; and its place in the store. */
#ifndef SERVICE_VALIDATION_CRL_DOC_H
#define SERVICE_VALIDATION_CRL_DOC_H

#include <stdatomic.h>

#include "base/time.h"
#include "service/service.h"

struct crl_doc {
    atomic_uint refs;
    struct kw_bytes *der;
    uint64_t number, entries;
    int64_t this_update, next_update;
    int64_t making_ms; /* how long it took; 0 where it was loaded */
    char etag[2 * KW_HASH_BYTES + 3], last_modified[KW_TIME_TEXT], expires[KW_TIME_TEXT];
};

/* *der is taken over. */
kw_status crl_doc_new(struct kw_op *op, struct kw_bytes **der, uint64_t number, uint64_t entries,
                      int64_t this_update, int64_t next_update, struct crl_doc **ret);
struct crl_doc *crl_doc_ref(struct crl_doc *doc);
void crl_doc_unref(struct crl_doc *doc);
KW_OWNED(crl_doc, struct crl_doc, crl_doc_unref)

/* Called after each piece but the last, with how long it took. */
typedef void (*crl_doc_rest_fn)(void *ctx, int64_t piece_ms);
/**
 * Keep it in the store under "crl:NAME", in pieces so small that other changes hardly wait. A cut
 * leaves the one before, or (between the first piece and the last) none that crl_doc_load() takes.
 * rest: NULL for none; pieces without rest take the whole disk.
 */
kw_status crl_doc_save(struct kw_op *op, struct service *service, const char *name,
                       const struct crl_doc *doc, crl_doc_rest_fn rest, void *ctx);
/* KW_E_NOT_FOUND: none, or not whole. */
kw_status crl_doc_load(struct kw_op *op, struct service *service, const char *name,
                       struct crl_doc **ret);

/* "Fri, 21 Nov 2026 09:10:55 GMT" (RFC 9110 section 5.6.7) */
void http_date_text(int64_t unix_s, char text[KW_TIME_TEXT]);
/* A strong entity tag: "\"HEX\"", the octets' SHA-256. */
void http_etag_text(struct kw_span octets, char text[2 * KW_HASH_BYTES + 3]);

#endif
