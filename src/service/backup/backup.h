/*
 * Making a backup while serving: one at a time, by a thread of its own, into STATE/store/backup.tmp
 * (encrypted; only the copy of the store beside it is not, and goes as soon as it is in). The one
 * who asked fetches it in parts and then discards it.
 */
#ifndef SERVICE_BACKUP_BACKUP_H
#define SERVICE_BACKUP_BACKUP_H

#include "service/service.h"

enum { BACKUP_PART_MAX = 4 << 20, BACKUP_ID_TEXT = 33 };

enum backup_stage { BACKUP_NONE, BACKUP_MAKING, BACKUP_READY, BACKUP_FAILED, BACKUP_STAGE_MAX };
const char *backup_stage_text(enum backup_stage stage);

struct backup_info {
    enum backup_stage stage;
    char id[BACKUP_ID_TEXT];     /* READY */
    uint64_t size;               /* READY: octets of the whole file */
    uint8_t hash[KW_HASH_BYTES]; /* READY: of the whole file */
    enum kw_code code;           /* FAILED */
    char why[KW_OP_TEXT_MAX];    /* FAILED */
};

struct backup_maker;
kw_status backup_new(struct kw_op *op, struct service *service, struct backup_maker **ret);
void backup_free(struct backup_maker *maker); /* waits for the thread */

/* approval_id: of the keeper's part, where a rule wants one; else 0. KW_E_CONFLICT one is being
 * made; KW_E_UNAVAILABLE the log has a gap. */
kw_status backup_start(struct kw_op *op, struct service *service, uint64_t approval_id);
void backup_look(struct service *service, struct backup_info *ret);
/* Octets from offset on, at most BACKUP_PART_MAX. KW_E_STATE none is ready. */
kw_status backup_part(struct kw_op *op, struct service *service, uint64_t offset,
                      struct kw_bytes **ret);
/* KW_E_CONFLICT one is being made. */
kw_status backup_discard(struct kw_op *op, struct service *service);

/* One that was made, as the log tells of it. */
struct backup_told {
    uint64_t index; /* of its entry */
    char id[BACKUP_ID_TEXT];
    int64_t made_ms;
    char actor[64];
    char detail[256]; /* its hash and size */
    char keys[256];   /* whose secrets it holds, separated by blanks; and which vaults it lacks */
};
/* At most max of them, oldest first, out of the log from this entry on. key_id: only those that
 * hold its secret; NULL: all. Blocks for as long as the log is read. */
kw_status backup_each_told(
    struct kw_op *op, struct service *service, uint64_t from, const char *key_id, unsigned max,
    kw_status (*each)(struct kw_op *op, void *ctx, const struct backup_told *told), void *ctx);

/**
 * Set the recovery key's public half, while serving. KW_E_APPROVAL where people must approve
 * (subject_recovery_set(), keeper/subjects.h); those of the keeper.
 */
kw_status backup_recovery_set(struct kw_op *op, struct service *service,
                              const uint8_t key[KW_HASH_BYTES], uint64_t approval_id);
/* After KW_E_APPROVAL: ask for it. Errors: those of approval_ask(). */
kw_status backup_recovery_ask(struct kw_op *op, struct service *service,
                              const uint8_t key[KW_HASH_BYTES], struct keeper_approval *ret);

#endif
