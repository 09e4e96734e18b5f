/*
 * SIGN_FIRMWARE: the digest of an image for MCUboot, where people have approved exactly this
 * release and nothing about it falls behind what was released.
 */
#include "cmd/keywright-keeper/approvals.h"
#include "cmd/keywright-keeper/record_line.h"
#include "cmd/keywright-keeper/server.h"
#include "crypto/sign_digest.h"
#include "model/release.h"
#include "model/version_pattern.h"
#include "os/clock.h"

static kw_status check_release(struct kw_op *op, const struct key_policy *policy,
                               const struct statement *release, uint64_t last_counter)
{
    ENSURE(op, policy->n_scopes == 1 && statement_is(release, "product", policy->scopes[0]),
           KW_E_DENIED, "release-product: the key signs for '%s'", policy->scopes[0]);
    ENSURE(op, version_pattern_matches(policy->fw_version, statement_value(release, "version")),
           KW_E_DENIED, "release-version: the key signs versions like '%s'", policy->fw_version);
    ENSURE(op, statement_number(release, "image-size") > 0, KW_E_DENIED,
           "release-size: an image of no octets");
    ENSURE(op, statement_number(release, "security-counter") >= last_counter, KW_E_DENIED,
           "release-counter: the security counter was %llu already",
           (unsigned long long)last_counter);
    return KW_OK;
}

/* On disk before the signature leaves. */
static kw_status remember(struct kw_op *op, struct server *server, struct key_record *record,
                          uint64_t counter)
{
    uint64_t before = record->crl_number;

    if (counter <= before) {
        return KW_OK;
    }
    record->crl_number = counter;
    server->keyring->state->dirty = true;
    kw_status status = keyring_save(op, server->keyring);
    if (!kw_ok(status) && status.code != KW_E_UNSURE) {
        record->crl_number = before; /* nothing was written, no signature leaves */
    }
    return status;
}

static kw_status sign_image(struct kw_op *op, struct server *server, struct keeper_key *key,
                            const struct statement *release, struct request *request)
{
    struct kw_out sig = {.p = request->octets, .cap = KW_SIG_MAX};
    uint8_t digest[KW_HASH_BYTES];

    statement_hash(release, "image-sha256", digest);
    TRY(op, keyring_count(op, server->keyring, key, os_clock_mono_ms()));
    TRY(op, privkey_sign_digest(op, key->private_key, KW_SPAN_ARRAY(digest), &sig),
        "signing with key '%s'", key->policy.key_id);
    TRY(op, journal_note(op, server, key, KEEPER_SIGN_FIRMWARE, request->msg->firmware.statement,
                         request));
    request->answer.octets = kw_out_span(&sig);
    return KW_OK;
}

kw_status handle_sign_firmware(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct keeper_key *key = NULL;
    struct statement release;
    const char *wrong = "";

    TRY(op, keyring_use(op, server->keyring, msg->key_id, KEEPER_SIGN_FIRMWARE, request->now_unix,
                        &key));
    ENSURE(op, kw_ok(statement_parse(msg->firmware.statement, &release, &wrong)), KW_E_INPUT,
           "statement: %s is not as it must be", wrong);
    ENSURE(op, release.kind == STATEMENT_FIRMWARE_RELEASE, KW_E_DENIED,
           "statement-kind: it is no release of firmware");
    TRY(op, check_release(op, &key->policy, &release,
                          line_counter(server->keyring->state, key->policy.key_id)));
    struct approval_subject subject = release_subject(key->policy.key_id, &release);
    TRY(op, approvals_require(op, server, &subject, msg->firmware.approval));
    TRY(op, sign_image(op, server, key, &release, request));
    return remember(op, server, key->record, statement_number(&release, "security-counter"));
}
