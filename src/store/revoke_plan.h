/* Revocations of many certificates, as rows. */
#ifndef STORE_REVOKE_PLAN_H
#define STORE_REVOKE_PLAN_H

#include "store/store.h"

/* Stored: append only. */
enum plan_state {
    PLAN_GATHERING = 1, /* its certificates are being written down; nobody sees it yet */
    PLAN_READY,
    PLAN_RUNNING,
    PLAN_REPLACING, /* all but those of devices that are to renew first */
    PLAN_DONE,
    PLAN_ABANDONED,
    PLAN_PAUSED, /* somebody stopped its run, or its waiting for devices; it may go on */
    PLAN_STATE_MAX
};

enum { PLAN_SELECTION_MAX = 512, PLAN_SUMMARY_MAX = 4096 };

struct store_plan {
    int64_t id;
    enum plan_state state;
    int reason;
    bool hold, replace_first;
    int64_t deadline_s; /* seconds after the start until who has not renewed is revoked; 0: none */
    char selection[PLAN_SELECTION_MAX];
    char summary[PLAN_SUMMARY_MAX]; /* KIND TAB NAME TAB N, a line each */
    uint8_t digest[KW_HASH_BYTES];  /* SHA-256 of "CA/SERIAL\n" of each, in order of issuance */
    uint64_t n;
    int64_t created_ms;
    char created_by[KW_NAME_MAX];
    int64_t started_ms;
    char started_by[KW_NAME_MAX];
    int64_t ended_ms;
    bool overdue;
    int64_t last_row;
    uint64_t done, passed_over, log_size;
    uint64_t issued_since; /* to its owners between its making and its end, and still good */
};

/* Sets plan->id. */
kw_status store_plan_insert(struct kw_op *op, struct store_txn *txn, struct store_plan *plan);
/* Add certificates by their rows; only while it gathers. */
kw_status store_plan_add(struct kw_op *op, struct store_txn *txn, int64_t plan,
                         const int64_t rows[], size_t n);
/* Write all of it; what makes the plan is only altered while it gathers (KW_E_STATE). */
kw_status store_plan_update(struct kw_op *op, struct store_txn *txn, const struct store_plan *plan);
/* KW_E_NOT_FOUND. */
kw_status store_plan_get(struct kw_op *op, struct store *store, int64_t id, struct store_plan *ret);
kw_status store_plan_get_txn(struct kw_op *op, struct store_txn *txn, int64_t id,
                             struct store_plan *ret);
/* The next plan behind `after` in one of the states of this mask (1 << state). KW_E_NOT_FOUND. */
kw_status store_plan_next(struct kw_op *op, struct store *store, int64_t after, unsigned states,
                          struct store_plan *ret);
/* Its certificates behind a row, in order. */
kw_status store_plan_rows(struct kw_op *op, struct store *store, int64_t plan, int64_t after,
                          unsigned max, int64_t ret[], unsigned *ret_n);
kw_status store_plan_has_txn(struct kw_op *op, struct store_txn *txn, int64_t plan, int64_t row,
                             bool *ret);
/* What one of a plan's certificates has to do with the bar of its device (store_device_bar()). */
struct store_plan_bar {
    char owner[KW_NAME_MAX]; /* "": no device's */
    enum device_state state;
    int64_t since_ms; /* 0: it is not barred */
    int reason;
    bool seen;   /* one before it in the plan is the same device's */
    bool by_it;  /* one of the plan's is revoked */
    bool others; /* one that is not the plan's was revoked then or since, or ever as compromised */
};
kw_status store_plan_bar_txn(struct kw_op *op, struct store_txn *txn, int64_t plan, int64_t row,
                             struct store_plan_bar *ret);
/* The last of its certificates by a CA. KW_E_NOT_FOUND. */
kw_status store_plan_last_of(struct kw_op *op, struct store *store, int64_t plan, const char *ca,
                             uint8_t serial[KW_SERIAL_MAX], uint32_t *ret_len);

/* How many certificates its owners got since it was made, among the newest `most` of all, and that
 * are not revoked. */
kw_status store_plan_issued_since(struct kw_op *op, struct store *store,
                                  const struct store_plan *plan, unsigned most, uint64_t *ret);

/* Since when somebody enforces it; what was noted before stays. */
kw_status store_plan_party(struct kw_op *op, struct store_txn *txn, int64_t plan, const char *party,
                           int64_t at_ms);
struct store_party {
    char name[KW_NAME_MAX];
    int64_t at_ms;
};
kw_status store_plan_parties(struct kw_op *op, struct store *store, int64_t plan, unsigned max,
                             struct store_party ret[], unsigned *ret_n);

/* Devices that are to renew for a plan. 0: no more. */
kw_status store_renew_ask(struct kw_op *op, struct store_txn *txn, const char *device,
                          int64_t plan);
kw_status store_renew_count(struct kw_op *op, struct store *store, int64_t plan, uint64_t *ret);

/* What a revocation must know of a certificate, without its DER. */
struct store_cert_brief {
    int64_t row;
    char ca[KW_NAME_MAX], owner[KW_NAME_MAX], profile[KW_NAME_MAX];
    uint8_t serial[KW_SERIAL_MAX];
    uint32_t serial_len;
    uint8_t pubkey[KW_HASH_BYTES];
    enum cert_state state;
    int64_t not_after, revoked_s;
    bool whole; /* its DER is there: it is known from more than the log */
};
kw_status store_cert_brief(struct kw_op *op, struct store_conn *conn, int64_t row,
                           struct store_cert_brief *ret);
kw_status store_cert_brief_txn(struct kw_op *op, struct store_txn *txn, int64_t row,
                               struct store_cert_brief *ret);
/* Of a plan's reader: brief and owner's rows on one connection. */
kw_status store_read(struct kw_op *op, struct store *store,
                     kw_status (*read)(struct kw_op *op, struct store_conn *conn, void *ctx),
                     void *ctx);
/* The device of an owner's number: its product and batch; *ret_device false: it is none. */
kw_status store_owner_device(struct kw_op *op, struct store_conn *conn, int64_t owner,
                             char product[KW_NAME_MAX], char batch[KW_NAME_MAX], bool *ret_device);
/* Rows of an owner's certificates that are good for something at now_s: valid, superseded. At most
 * max. */
kw_status store_owner_rows(struct kw_op *op, struct store_conn *conn, int64_t owner, int64_t now_s,
                           unsigned max, int64_t ret[], unsigned *ret_n);
/* Rows of the operators' certificates that are valid at now_s. At most max. */
kw_status store_operator_rows(struct kw_op *op, struct store_conn *conn, int64_t now_s,
                              unsigned max, int64_t ret[], unsigned *ret_n);
kw_status store_operator_rows_txn(struct kw_op *op, struct store_txn *txn, int64_t now_s,
                                  unsigned max, int64_t ret[], unsigned *ret_n);
/* The text of a name's number. */
kw_status store_name_text(struct kw_op *op, struct store_conn *conn, int64_t id,
                          char ret[KW_NAME_MAX]);

#endif
