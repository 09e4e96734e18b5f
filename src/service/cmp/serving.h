/* One CMP message on its way through the server. For service/cmp/ only. */
#ifndef SERVICE_CMP_SERVING_H
#define SERVICE_CMP_SERVING_H

#include "base/secret.h"
#include "crypto/cmp.h"
#include "service/authorities.h"
#include "service/registration/device.h"
#include "service/registration/enrol.h"
#include "store/cmp.h"

enum {
    CMP_CONFIRM_S = 300,     /* a certificate that is not confirmed by then is revoked */
    CMP_WORK_S = 60,         /* what is not answered by then never will be */
    CMP_KEEP_S = 600,        /* an answer is kept for the same request again */
    CMP_CHECK_AFTER_S = 30,  /* approval is people's work */
    CMP_OWN_MAX = 64,        /* transactions of one device, with those that are kept */
    CMP_STATION_MAX = 10000, /* of a station, which speaks for many */
    CMP_ALL_MAX = 100000,    /* some 300 MB of answers at most */
    CMP_CHAIN_MAX = AUTHORITIES_PATH_MAX,
    CMP_TEXT_MAX = KW_OP_TEXT_MAX,
    CMP_BATCH_ROOM = 15000,   /* of answers in one: what a keeper signs at once, less the header */
    CMP_BATCH_RESERVE = 3500, /* a message is begun only where an answer of usual size has room */
};
#define CMP_NESTED_PATH "nested" /* the operation in the address */

struct serving {
    struct service *service;
    struct authorities *all;
    const char *profile; /* of the address, else of the header; "" by the proof */
    char header_profile[KW_NAME_MAX];
    struct cmp_message message;
    uint8_t sha256[KW_HASH_BYTES]; /* of the whole message */
    int64_t now_s;

    /* What a failure from here on means to the peer. */
    enum cmp_fail fail;
    bool in_body; /* it is said in the answer's own type, not as an error message */

    /* Who asks (cmp_who()). */
    enum cmp_protection protection;
    char owner[KW_NAME_MAX]; /* "device:DEV1", "station:LINE1" */
    struct cert *cert;       /* signature */
    struct store_cert_status status;
    char device_id[KW_NAME_MAX];
    const char *through;      /* station that put its protection around it; NULL: none */
    struct kw_secret *secret; /* MAC: known, so it verified */
    char secret_text[DEVICE_SECRET_TEXT];

    /* The answer. */
    enum cmp_type type;
    struct kw_bytes *content;
    bool implicit;
    int64_t confirm_by_s;
    struct kw_span chain[CMP_CHAIN_MAX]; /* of what was issued; borrowed from `all` */
    unsigned n_chain;
    struct store_cmp transaction;
    bool remember; /* the answer belongs to the transaction */
};

/* Who protects the message, and does it hold? Sets owner and what belongs to it. */
kw_status cmp_who(struct kw_op *op, struct serving *it);
/* The asker as enrolment wants it; borrows from `it`. */
struct enrol_asker cmp_asker(const struct serving *it);

/* --- serve.c, nested.c ------------------------------------------------------------------------ */

/* What holds for every message (RFC 9483 section 3.5). */
kw_status cmp_check_header(struct kw_op *op, struct serving *it);
/* One message by itself: its answer, or a refusal that is its answer. `it` has service, profile,
 * now_s, all and, where a station handed it on, through. A failure: nothing can be answered. */
kw_status cmp_serve_one(struct kw_op *op, struct serving *it, const char *operation,
                        struct kw_span message, struct kw_bytes **ret);
/* it->message is a nested one, read. */
kw_status cmp_serve_nested(struct kw_op *op, struct serving *it, const char *operation,
                           struct kw_bytes **ret);
/* Protect what it->type and it->content say; remembered where it->remember says so. */
kw_status cmp_finish(struct kw_op *op, struct serving *it, struct kw_bytes **ret);
/* Answer that it failed, as it->fail says. */
kw_status cmp_refuse(struct kw_op *op, struct serving *it, kw_status failed, struct kw_bytes **ret);
void cmp_serving_done(struct serving *it);

/* One kind of request each: the answer's type and content, or a failure. */
kw_status cmp_ask_cert(struct kw_op *op, struct serving *it);
kw_status cmp_poll(struct kw_op *op, struct serving *it);
kw_status cmp_confirm(struct kw_op *op, struct serving *it);
kw_status cmp_hear_error(struct kw_op *op, struct serving *it);
kw_status cmp_revoke(struct kw_op *op, struct serving *it);
kw_status cmp_inform(struct kw_op *op, struct serving *it);

/* The live transaction that the message goes on with: of the same owner and protection, with the
 * nonce of our last answer. request: contents of the body that began it; may be NULL. */
kw_status cmp_transaction_find(struct kw_op *op, struct serving *it, struct kw_bytes **ret_request);
/* A new one; it->transaction has what is asked. */
kw_status cmp_transaction_begin(struct kw_op *op, struct serving *it, struct kw_span request);
/* It came to nothing. */
kw_status cmp_transaction_end(struct kw_op *op, struct service *service,
                              const struct store_cmp *transaction);
/* A certificate by its row. */
kw_status cmp_cert_by_row(struct kw_op *op, struct service *service, int64_t row,
                          struct store_cert *ret);
/* Revoke what was sent and not wanted; one that is revoked already is as good. */
kw_status cmp_withdraw(struct kw_op *op, struct service *service, const struct store_cert *cert);

#endif
