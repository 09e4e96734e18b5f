/*
 * What is approved, for each operation: built by the gate when it asks and by the keeper when it
 * does it, so both say the same words. A subject that cannot be told (a reason too long, say) is
 * invalid and refused by approval_subject_check().
 */
#ifndef KEEPER_SUBJECTS_H
#define KEEPER_SUBJECTS_H

#include "base/op.h"
#include "crypto/cert.h"
#include "model/approval.h"
#include "model/policy.h"

/* Detail: recovery-key. Other shares will open what backups hold: as weighty as the vault's own. */
struct approval_subject subject_recovery_set(const uint8_t recovery[32]);
/* Detail: recovery-key. For each export, where a rule wants that approved. */
struct approval_subject subject_vault_export(const uint8_t recovery[32]);
/* Details: algorithm, begins, ends, policy (SHA-256 of its encoded form). KW_E_INPUT it does not
 * encode. */
kw_status subject_key_create(struct kw_op *op, const struct key_policy *policy,
                             struct approval_subject *ret);
struct approval_subject subject_key_rotate(enum key_class class_, const char *key_id);
/* Of the key that signs the line that ends. Detail: entries (of its last signed head). */
struct approval_subject subject_log_line(const char *key_id, uint64_t tree_size);
/* Detail: reason. */
struct approval_subject subject_key_revoke(enum key_class class_, const char *key_id,
                                           const char *reason);
struct approval_subject subject_key_destroy(enum key_class class_, const char *key_id,
                                            const char *reason);
/* By the CA key of this id, under a rule of its policy. Details: rule, subject, name
 * and public-key (SHA-256), days
 * (of validity, rounded up), path-length. Serial and exact times are not part of it: they are made
 * when it is signed. */
struct approval_subject subject_ca_cert(enum key_class class_, const char *ca_key_id,
                                        const char *rule, const struct cert *cert);

#endif
