/* What the keeper lets leave of its vault (VAULT_EXPORT; docs/protocol/backup.md), read. */
#ifndef SERVICE_BACKUP_PACKAGE_H
#define SERVICE_BACKUP_PACKAGE_H

#include "base/bytes.h"
#include "base/op.h"
#include "base/secret.h"
#include "crypto/box.h"
#include "model/policy.h"

struct package_head {
    uint8_t vault[16];
    uint8_t recovery[BOX_KEY_BYTES];
    uint64_t version; /* of the vault's state */
    int64_t time_s;
    unsigned n;
};

struct package_key {
    char key_id[KW_NAME_MAX];
    enum key_state state;
    char token[128]; /* its private key is in a token, under this label; else "" */
    struct key_policy policy;
    struct kw_span public_half; /* SubjectPublicKeyInfo, or check value; borrowed */
    struct kw_span box;         /* its secret; empty: it does not leave the vault */
};

kw_status package_head_read(struct kw_op *op, struct kw_span package, struct package_head *ret);
/* All keys, in order; strict. KW_E_INTEGRITY. each may be NULL. */
kw_status package_each(struct kw_op *op, struct kw_span package,
                       kw_status (*each)(struct kw_op *op, void *ctx,
                                         const struct package_key *key),
                       void *ctx);
/* The secret in a box. KW_E_INTEGRITY. */
kw_status package_open(struct kw_op *op, const struct package_key *key,
                       const struct kw_secret *recovery, struct kw_secret **ret);

#endif
