/* SIGN_CERT: read the TBSCertificate, hold it against the sealed policy, then sign it. */
#include "cmd/keywright-keeper/cert_checks.h"
#include "cmd/keywright-keeper/server.h"
#include "keeper/subjects.h"

/* A further authority is never one person's decision. */
static kw_status check_approved(struct kw_op *op, struct server *server, const struct cert_case *c,
                                uint64_t approval_id)
{
    if (!cert_is_ca(c->cert)) {
        return KW_OK;
    }
    struct approval_subject subject =
        subject_ca_cert(c->ca->policy.class_, c->ca->policy.key_id, c->rule->name, c->cert);
    return approvals_require(op, server, &subject, approval_id);
}

/* RFC 6960 section 4.2.2.2: who answers for a key's certificates has its certificate from that very
 * key. So this one rule goes on as CRLs do, when the key issues nothing else any more. */
static bool delegates_status(const struct policy_rule *rule)
{
    return rule && !rule->is_ca && rule->n_eku == 1 &&
           strcmp(rule->eku[0], "1.3.6.1.5.5.7.3.9") == 0;
}

static enum keeper_purpose purpose_of(const struct keyring *keyring, const struct keeper_msg *msg)
{
    const struct keeper_key *key = keyring_find(keyring, msg->key_id);

    return key && delegates_status(policy_rule_find(&key->policy, msg->sign_cert.rule))
               ? KEEPER_SIGN_CRL
               : KEEPER_SIGN_CERT;
}

kw_status handle_sign_cert(struct kw_op *op, struct server *server, struct request *request)
{
    AUTO(cert) *cert = NULL;
    const struct keeper_msg *msg = request->msg;
    struct keeper_key *ca = NULL;

    TRY(op, keyring_use(op, server->keyring, msg->key_id, purpose_of(server->keyring, msg),
                        request->now_unix, &ca));
    ca->asked = KEEPER_SIGN_CERT;
    const struct policy_rule *rule = policy_rule_find(&ca->policy, msg->sign_cert.rule);
    ENSURE(op, rule, KW_E_DENIED, "rule: the key's policy has no rule '%s'", msg->sign_cert.rule);
    TRY(op, cert_parse_tbs(op, msg->sign_cert.tbs, &cert), "TBSCertificate");
    struct cert_case c = {.ca = ca, .rule = rule, .cert = cert, .now_unix = request->now_unix};
    TRY(op, cert_check_all(op, &c));
    TRY(op, check_approved(op, server, &c, msg->sign_cert.approval_id));
    TRY(op, request_sign(op, server, ca, msg->sign_cert.tbs, request));
    serials_use(ca->serials, cert_serial(cert));
    return KW_OK;
}
