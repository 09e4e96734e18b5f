#include "service/quality/quality.h"

#include "crypto/rsa_quality.h"
#include "crypto/weak_key.h"
#include "service/quality/blocklist.h"

static kw_status check_rsa(struct kw_op *op, struct service *service, const struct pubkey *key)
{
    enum rsa_flaw flaw = RSA_SOUND;

    (void)service;
    TRY(op, rsa_examine_key(op, key, &flaw));
    ENSURE(op, flaw == RSA_SOUND, KW_E_DENIED, "the key is refused (%s): %s; make a new key",
           rsa_flaw_text(flaw), rsa_flaw_meaning(flaw));
    return KW_OK;
}

static kw_status check_randomness(struct kw_op *op, struct service *service,
                                  const struct pubkey *key)
{
    const char *what = NULL;

    (void)service;
    TRY(op, weak_key_examine(op, key, &what));
    ENSURE(op, !what, KW_E_DENIED, "the key is refused (no-randomness): %s; make a new key", what);
    return KW_OK;
}

static kw_status check_blocklist(struct kw_op *op, struct service *service,
                                 const struct pubkey *key)
{
    struct store_blocked found;
    bool blocked = false;

    TRY(op, blocklist_find(op, service, key, &blocked, &found));
    ENSURE(op, !blocked, KW_E_DENIED, "the key is refused (blocklist): it is on the list '%s'",
           found.list);
    return KW_OK;
}

static kw_status (*const checks[])(struct kw_op *op, struct service *service,
                                   const struct pubkey *key) = {
    check_rsa,
    check_randomness,
    check_blocklist,
};

kw_status quality_check(struct kw_op *op, struct service *service, const struct pubkey *key)
{
    for (unsigned i = 0; i < KW_COUNT(checks); i++) {
        TRY(op, checks[i](op, service, key));
    }
    return KW_OK;
}
