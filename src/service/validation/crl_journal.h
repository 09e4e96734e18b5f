/*
 * What became revoked, held or released since a moment, in the order in which it became durable:
 * the content of delta CRLs. In memory; a process that starts begins with complete lists.
 */
#ifndef SERVICE_VALIDATION_CRL_JOURNAL_H
#define SERVICE_VALIDATION_CRL_JOURNAL_H

#include "crypto/crl.h"
#include "store/store.h"

struct crl_step {
    char base[KW_NAME_MAX]; /* of the CA: its keys share one name and so one scope */
    uint8_t serial[KW_SERIAL_MAX];
    uint8_t serial_len, reason;
    bool listed; /* else released from hold */
    int64_t at_s;
    uint64_t number; /* of the step; the journal's */
};

struct crl_journal;
kw_status crl_journal_new(struct kw_op *op, struct crl_journal **ret);
void crl_journal_free(struct crl_journal *journal);
/* Never fails: without room, or memory, what is older than now is not known any more. */
void crl_journal_add(struct crl_journal *journal, const struct crl_step *step);
void crl_journal_forget_all(struct crl_journal *journal);
/* The moment now. Whatever is added later lies behind it. */
uint64_t crl_journal_mark(struct crl_journal *journal);
/**
 * The last step of each certificate of a CA since a mark, ascending by serial number.
 * ret: the caller's to free; NULL where *ret_n is 0. KW_E_NOT_FOUND: the mark is too old.
 */
kw_status crl_journal_since(struct kw_op *op, struct crl_journal *journal, uint64_t mark,
                            const char *base, struct crl_step **ret, size_t *ret_n);
/* Steps before this mark are not needed any more. */
void crl_journal_cut(struct crl_journal *journal, uint64_t mark);

#endif
