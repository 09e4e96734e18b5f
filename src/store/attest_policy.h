/* What operators said about measured boots and secure elements. */
#ifndef STORE_ATTEST_POLICY_H
#define STORE_ATTEST_POLICY_H

#include "model/attest_reference.h"
#include "store/store.h"

struct store_reference {
    struct attest_reference set; /* its events are `room`, where they were asked for */
    int64_t added_ms;
    struct attest_event *room;
};
void store_reference_done(struct store_reference *reference);

/* KW_E_CONFLICT the name is taken. */
kw_status store_reference_insert(struct kw_op *op, struct store_txn *txn,
                                 const struct attest_reference *set, int64_t now_ms);
/* KW_E_NOT_FOUND. */
kw_status store_reference_set_open(struct kw_op *op, struct store_txn *txn, const char *name,
                                   bool open);
kw_status store_reference_delete(struct kw_op *op, struct store_txn *txn, const char *name);
/* In the order of names, behind `after` ("" = from the start). */
kw_status store_reference_list(struct kw_op *op, struct store *store, const char *after,
                               unsigned max, struct store_reference *ret, unsigned *ret_n);
/* Those for a product, with their events; the caller makes each of ret[0..*ret_n) done, also where
 * this fails. */
kw_status store_reference_for(struct kw_op *op, struct store *store, const char *product,
                              unsigned max, struct store_reference *ret, unsigned *ret_n);
kw_status store_reference_count(struct kw_op *op, struct store_txn *txn, unsigned *ret);

/* The patience with failed rounds, of a product, or ("") of all that have none of their own. */
struct store_rule {
    char product[KW_NAME_MAX];
    struct attest_patience patience;
    int64_t changed_ms; /* 0: the built-in one */
};
/* Insert or replace. */
kw_status store_rule_put(struct kw_op *op, struct store_txn *txn, const struct store_rule *rule);
/* KW_E_NOT_FOUND. */
kw_status store_rule_delete(struct kw_op *op, struct store_txn *txn, const char *product);
/* By product, behind `after` (NULL: from the start). */
kw_status store_rule_list(struct kw_op *op, struct store *store, const char *after, unsigned max,
                          struct store_rule *ret, unsigned *ret_n);
/* That of a device: its product's, that of all, or ATTEST_PATIENCE_DEFAULT. */
kw_status store_rule_of(struct kw_op *op, struct store *store, const char *device,
                        struct attest_patience *ret);
kw_status store_rule_of_txn(struct kw_op *op, struct store_txn *txn, const char *device,
                            struct attest_patience *ret);

/* Products whose units have a secure element. Twice changes nothing. */
kw_status store_element_set(struct kw_op *op, struct store_txn *txn, const char *product, bool has,
                            int64_t now_ms);
kw_status store_element_has(struct kw_op *op, struct store *store, const char *product, bool *ret);
struct store_element {
    char product[KW_NAME_MAX];
    int64_t added_ms;
};
kw_status store_element_list(struct kw_op *op, struct store *store, const char *after, unsigned max,
                             struct store_element *ret, unsigned *ret_n);

#endif
