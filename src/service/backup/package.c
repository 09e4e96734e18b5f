#include "service/backup/package.h"

#include <stdio.h>

#include "base/reader.h"
#include "model/roster.h"

static const char SECRET_INFO[] = "keywright escrow v1 ";
enum { BOX_MAX = 256 };

static void read_head(struct kw_reader *r, struct package_head *ret)
{
    struct kw_span magic = kw_reader_take(r, 8);

    if (!kw_span_equal(magic, kw_span_text("KWEXPRT1"))) {
        kw_reader_reject(r);
    }
    kw_reader_copy(r, ret->vault, sizeof(ret->vault));
    kw_reader_copy(r, ret->recovery, sizeof(ret->recovery));
    ret->version = kw_reader_u64(r);
    ret->time_s = (int64_t)kw_reader_u64(r);
    ret->n = kw_reader_u16(r);
}

kw_status package_head_read(struct kw_op *op, struct kw_span package, struct package_head *ret)
{
    struct kw_reader r = kw_reader_of(package);

    read_head(&r, ret);
    ENSURE(op, !r.failed, KW_E_INTEGRITY, "the vault's part is not as the keeper writes it");
    return KW_OK;
}

static void read_key(struct kw_reader *r, struct package_key *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    unsigned state = kw_reader_u8(r);
    kw_reader_text(r, ret->token, sizeof(ret->token));
    struct kw_span policy = kw_reader_span16(r, POLICY_ENCODED_MAX);
    ret->public_half = kw_reader_span16(r, KW_SPKI_MAX);
    ret->box = kw_reader_span16(r, BOX_MAX);
    if (r->failed || state >= KEY_STATE_MAX || !kw_ok(policy_decode(policy, &ret->policy)) ||
        strcmp(ret->policy.key_id, ret->key_id) != 0) {
        kw_reader_reject(r);
        return;
    }
    ret->state = (enum key_state)state;
}

kw_status package_each(struct kw_op *op, struct kw_span package,
                       kw_status (*each)(struct kw_op *op, void *ctx,
                                         const struct package_key *key),
                       void *ctx)
{
    struct kw_reader r = kw_reader_of(package);
    struct package_head head = {0};

    read_head(&r, &head);
    for (unsigned i = 0; i < head.n && !r.failed; i++) {
        struct package_key key = {0};
        read_key(&r, &key);
        if (!r.failed && each) {
            TRY(op, each(op, ctx, &key));
        }
    }
    (void)kw_reader_span16(&r, ROSTER_ENCODED_MAX);
    ENSURE(op, kw_ok(kw_reader_end(&r)), KW_E_INTEGRITY,
           "the vault's part is not as the keeper writes it");
    return KW_OK;
}

kw_status package_open(struct kw_op *op, const struct package_key *key,
                       const struct kw_secret *recovery, struct kw_secret **ret)
{
    char info[sizeof(SECRET_INFO) + KW_NAME_MAX];

    (void)snprintf(info, sizeof(info), "%s%s", SECRET_INFO, key->key_id);
    return box_open(op, recovery, kw_span_text(info), key->box, ret);
}
