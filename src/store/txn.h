/* The transaction that changes share, and what the committer keeps in memory about it. */
#ifndef STORE_TXN_H
#define STORE_TXN_H

#include "store/query.h"
#include "store/store.h"

/* Rows of table tally; numbers are stored: append only. */
enum store_tally {
    TALLY_HEARTBEAT = 0, /* written only to settle a broken commit */
    TALLY_DEVICES,
    TALLY_DEVICES_ACTIVE,
    TALLY_CERTS,
    TALLY_CERTS_VALID,
    TALLY_CERTS_REVOKED,
    TALLY_PUBKEYS,
    TALLY_MAX
};

enum { NAMES_CACHED = 256, NAMES_TEXT_MAX = KW_NAME_MAX + 8 }; /* "device:" before an id */

enum names_kind { NAMES_NAME = 1, NAMES_OWNER };

/* Numbers of names seen lately; emptied by every rollback. */
struct names_cache {
    struct {
        enum names_kind kind; /* 0 = empty */
        char text[NAMES_TEXT_MAX];
        int64_t id;
    } at[NAMES_CACHED];
};

/* Entries that the changes of this batch have appended, end to end. */
struct log_buffer {
    struct kw_bytes *octets;
    size_t *ends;
    unsigned n, cap;
};

/* What the batch will have changed in the standing of certificates and devices. */
struct notice_buffer {
    struct store_notice *at;
    unsigned n, cap;
};

/* How far a batch has come; put back when a change is undone. */
struct txn_mark {
    uint64_t writes;
    unsigned log_n, notices_n;
    int64_t cert_row; /* last one given */
    int64_t tally[TALLY_MAX];
};

struct store_txn {
    struct store_conn *conn;
    bool sealing;      /* the seal hook runs */
    bool in_change;    /* a change runs */
    kw_status spoilt;  /* a store call of this change broke off half-way: it cannot succeed */
    uint64_t log_size; /* entries before this batch */
    int64_t cert_row;
    int64_t tally[TALLY_MAX]; /* what this batch adds */
    struct log_buffer log;
    struct notice_buffer notices;
    struct names_cache names;
};

/* The number of a name or owner, given now where it has none. */
kw_status names_id(struct kw_op *op, struct store_txn *txn, enum names_kind kind, const char *text,
                   int64_t *ret);
/* KW_E_NOT_FOUND where it has none. */
kw_status names_find(struct kw_op *op, struct store_txn *txn, enum names_kind kind,
                     const char *text, int64_t *ret);
void names_forget(struct names_cache *cache);
/* "device:ID" */
kw_status names_device_owner(struct kw_op *op, const char *id, char owner[NAMES_TEXT_MAX]);

/* Write what the batch adds up to. */
kw_status tally_write(struct kw_op *op, struct store_txn *txn);

/* The entries of the batch as spans, valid until the next append. */
struct kw_span log_buffer_at(const struct log_buffer *log, unsigned i);
void log_buffer_cut(struct log_buffer *log, unsigned n);
void log_buffer_free(struct log_buffer *log);
/* A certificate is new (before = 0), or its state is another; as it is now. */
kw_status notice_cert(struct kw_op *op, struct store_txn *txn, const struct store_cert *cert,
                      enum cert_state before);
kw_status notice_device(struct kw_op *op, struct store_txn *txn, const struct store_device *device);
void notice_buffer_cut(struct notice_buffer *notices, unsigned n);
void notice_buffer_free(struct notice_buffer *notices);
/* Write the batch's entries behind those before. */
kw_status log_write(struct kw_op *op, struct store_txn *txn);
kw_status log_read_size(struct kw_op *op, struct store_conn *conn, uint64_t *ret);
kw_status cert_read_last_row(struct kw_op *op, struct store_conn *conn, int64_t *ret);

#endif
