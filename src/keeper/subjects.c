#include "keeper/subjects.h"

#include "base/time.h"
#include "crypto/alg.h"
#include "crypto/digest.h"
#include "crypto/dn.h"

static void add_hash(struct approval_subject *subject, const char *name, struct kw_span octets)
{
    uint8_t hash[KW_HASH_BYTES];

    digest_sha256(octets, hash);
    approval_detail_hex(subject, name, KW_SPAN_ARRAY(hash));
}

kw_status subject_key_create(struct kw_op *op, const struct key_policy *policy,
                             struct approval_subject *ret)
{
    uint8_t octets[POLICY_ENCODED_MAX];
    struct kw_out encoded = KW_OUT_ARRAY(octets);
    char when[KW_TIME_TEXT];
    struct approval_subject subject =
        approval_subject_of(APPROVE_KEY_CREATE, policy->class_, policy->key_id);

    kw_status status = policy_encode(policy, &encoded);
    ENSURE(op, kw_ok(status), status.code, "the policy of key '%.64s' cannot be encoded",
           policy->key_id);
    approval_detail(&subject, "algorithm", "%s", key_alg_text((enum key_alg)policy->alg));
    approval_detail(&subject, "begins", "%s", kw_time_text(policy->not_before, when));
    approval_detail(&subject, "ends", "%s", kw_time_text(policy->not_after, when));
    if (policy->escrow) {
        approval_detail(&subject, "escrow", "backups hold its secret, for the recovery shares");
    }
    add_hash(&subject, "policy", kw_out_span(&encoded));
    *ret = subject;
    return KW_OK;
}

struct approval_subject subject_key_rotate(enum key_class class_, const char *key_id)
{
    return approval_subject_of(APPROVE_KEY_ROTATE, class_, key_id);
}

struct approval_subject subject_log_line(const char *key_id, uint64_t tree_size)
{
    struct approval_subject subject =
        approval_subject_of(APPROVE_LOG_LINE, KEY_CLASS_LOG_SIGNER, key_id);

    approval_detail(&subject, "entries", "%llu", (unsigned long long)tree_size);
    return subject;
}

static struct approval_subject with_reason(enum approval_op what, enum key_class class_,
                                           const char *key_id, const char *reason)
{
    struct approval_subject subject = approval_subject_of(what, class_, key_id);

    approval_detail(&subject, "reason", "%s", reason[0] ? reason : "-");
    return subject;
}

struct approval_subject subject_key_revoke(enum key_class class_, const char *key_id,
                                           const char *reason)
{
    return with_reason(APPROVE_KEY_REVOKE, class_, key_id, reason);
}

struct approval_subject subject_key_destroy(enum key_class class_, const char *key_id,
                                            const char *reason)
{
    return with_reason(APPROVE_KEY_DESTROY, class_, key_id, reason);
}

struct approval_subject subject_ca_cert(enum key_class class_, const char *ca_key_id,
                                        const char *rule, const struct cert *cert)
{
    enum { DAY_S = 86400 };
    struct approval_subject subject = approval_subject_of(APPROVE_CA_CERT, class_, ca_key_id);
    char name[2 * APPROVAL_DETAIL_VALUE];
    long long life_s = cert_not_after(cert) - cert_not_before(cert);
    int path_len = cert_path_len(cert);

    approval_detail(&subject, "rule", "%s", rule);
    approval_detail(&subject, "subject", "%s",
                    dn_text(cert_subject(cert), name, sizeof(name))); /* too long is refused */
    add_hash(&subject, "name", cert_subject(cert));
    add_hash(&subject, "public-key", pubkey_spki(cert_public(cert)));
    approval_detail(&subject, "days", "%lld", (life_s + DAY_S - 1) / DAY_S);
    if (path_len < 0) {
        approval_detail(&subject, "path-length", "any");
    } else {
        approval_detail(&subject, "path-length", "%d", path_len);
    }
    return subject;
}

struct approval_subject subject_recovery_set(const uint8_t recovery[32])
{
    struct approval_subject subject =
        approval_subject_of(APPROVE_VAULT_SHARES, KEY_CLASS_NONE, NULL);

    approval_detail_hex(&subject, "recovery-key", KW_SPAN(recovery, 32));
    return subject;
}

struct approval_subject subject_vault_export(const uint8_t recovery[32])
{
    struct approval_subject subject =
        approval_subject_of(APPROVE_VAULT_EXPORT, KEY_CLASS_NONE, NULL);

    approval_detail_hex(&subject, "recovery-key", KW_SPAN(recovery, 32));
    return subject;
}
