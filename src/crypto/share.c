#include "crypto/share.h"

#include <assert.h>
#include <errno.h>
#include <libgfshare.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/openssl.h"
#include "crypto/share_code.h"
#include "crypto/share_words.h"

enum {
    HASH_BYTES = 4, /* of the secret, inside the shared octets */
    HEAD_BYTES = SHARE_SET_BYTES + 1,
    DATA_BYTES = SHARE_SECRET_BYTES + HASH_BYTES,
    ROW_WORDS = 5, /* of a page */
};
_Static_assert(HEAD_BYTES + DATA_BYTES == SHARE_OCTETS, "a share is whole words");
_Static_assert(KW_SHARES_MAX <= 16, "four bits");

struct share {
    uint8_t set[SHARE_SET_BYTES];
    uint8_t m;
    uint8_t index;
    struct kw_secret *data;
};

static void share_done(struct share *share)
{
    kw_secret_free(share->data);
    share->data = NULL;
}

static void shares_done(struct share (*shares)[KW_SHARES_MAX])
{
    for (unsigned i = 0; i < KW_SHARES_MAX; i++) {
        share_done(&(*shares)[i]);
    }
}

KW_OWNED(gfshare_ctx, gfshare_ctx, gfshare_ctx_free)

/* The library's coefficients; it cannot take a failure, and getrandom(2) has none after boot. */
static void fill_random(unsigned char *p, unsigned int n)
{
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        assert(got > 0 || errno == EINTR);
        unsigned step = got > 0 ? (unsigned)got : 0;
        p += step;
        n -= step;
    }
}

/* libgfshare has one global random function, and its own default is rand(3)-like or none. */
static void set_random(void)
{
    gfshare_fill_rand = fill_random;
}

static bool random_is_set(void)
{
    static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
    return CRYPTO_THREAD_run_once(&once, set_random) == 1;
}

static kw_status encode_share(struct kw_op *op, const struct share *share, struct kw_secret **ret)
{
    uint8_t octets[SHARE_OCTETS];
    struct share_code code;

    memcpy(octets, share->set, SHARE_SET_BYTES);
    octets[SHARE_SET_BYTES] = (uint8_t)((share->m - 1U) << 4 | (share->index - 1U));
    memcpy(octets + HEAD_BYTES, kw_secret_data(share->data), DATA_BYTES);
    share_code_of(octets, &code);
    kw_status status = share_code_write(op, &code, ret);
    kw_wipe(octets, sizeof(octets));
    kw_wipe(&code, sizeof(code));
    return status;
}

/* secret || first octets of its hash: what the library splits. */
static kw_status add_hash(struct kw_op *op, const struct kw_secret *secret, struct kw_secret **ret)
{
    struct kw_span span = kw_secret_span(secret);
    uint8_t hash[KW_HASH_BYTES];

    TRY(op, kw_secret_new(span.len + HASH_BYTES, ret), "splitting a secret");
    digest_sha256(span, hash);
    memcpy(kw_secret_data(*ret), span.p, span.len);
    memcpy(kw_secret_data(*ret) + span.len, hash, HASH_BYTES);
    kw_wipe(hash, sizeof(hash));
    return KW_OK;
}

static kw_status fill_shares(struct kw_op *op, const struct kw_secret *secret, unsigned m,
                             unsigned n, struct share shares[])
{
    AUTO(kw_secret) *payload = NULL;
    AUTO(gfshare_ctx) *ctx = NULL;
    unsigned char indexes[KW_SHARES_MAX];
    uint8_t set[SHARE_SET_BYTES];

    TRY(op, add_hash(op, secret, &payload));
    size_t size = kw_secret_len(payload);
    for (unsigned i = 0; i < n; i++) {
        indexes[i] = (unsigned char)(i + 1);
    }
    fill_random(set, sizeof(set));
    /* The library's own copies are ordinary memory; gfshare_ctx_free() overwrites them. */
    ctx = gfshare_ctx_init_enc(indexes, n, (unsigned char)m, (unsigned)size);
    ENSURE(op, ctx, KW_E_MEMORY, "splitting a secret");
    gfshare_ctx_enc_setsecret(ctx, kw_secret_data(payload));
    for (unsigned i = 0; i < n; i++) {
        shares[i].m = (uint8_t)m;
        shares[i].index = indexes[i];
        memcpy(shares[i].set, set, sizeof(set));
        TRY(op, kw_secret_new(size, &shares[i].data), "splitting a secret");
        gfshare_ctx_enc_getshare(ctx, (unsigned char)i, kw_secret_data(shares[i].data));
    }
    return KW_OK;
}

static void texts_done(struct kw_secret *(*texts)[KW_SHARES_MAX])
{
    for (unsigned i = 0; i < KW_SHARES_MAX; i++) {
        kw_secret_free((*texts)[i]);
    }
}

kw_status share_split(struct kw_op *op, const struct kw_secret *secret, unsigned m, unsigned n,
                      struct kw_secret *ret_shares[])
{
    __attribute__((cleanup(shares_done))) struct share shares[KW_SHARES_MAX] = {0};
    __attribute__((cleanup(texts_done))) struct kw_secret *texts[KW_SHARES_MAX] = {0};
    size_t len = kw_secret_len(secret);

    ENSURE(op, m >= 2 && m <= n && n <= KW_SHARES_MAX, KW_E_INPUT,
           "%u of %u shares: 2 <= m <= n <= %d is possible", m, n, KW_SHARES_MAX);
    ENSURE(op, len == SHARE_SECRET_BYTES, KW_E_INPUT, "a secret of %zu octets", len);
    ENSURE(op, random_is_set(), KW_E_INTERNAL, "splitting a secret");
    TRY(op, fill_shares(op, secret, m, n, shares));
    for (unsigned i = 0; i < n; i++) {
        TRY(op, encode_share(op, &shares[i], &texts[i]));
    }
    for (unsigned i = 0; i < n; i++) {
        ret_shares[i] = TAKE(texts[i]);
    }
    return KW_OK;
}

static kw_status decode_code(struct kw_op *op, const struct share_code *code, struct share *ret)
{
    uint8_t octets[SHARE_OCTETS];

    share_code_octets(code, octets);
    memcpy(ret->set, octets, SHARE_SET_BYTES);
    ret->m = (uint8_t)((octets[SHARE_SET_BYTES] >> 4) + 1);
    ret->index = (uint8_t)((octets[SHARE_SET_BYTES] & 0x0f) + 1);
    kw_status status = kw_secret_copy(KW_SPAN(octets + HEAD_BYTES, DATA_BYTES), &ret->data);
    kw_wipe(octets, sizeof(octets));
    TRY(op, status, "reading a share");
    ENSURE(op, ret->m >= 2, KW_E_INPUT, "it is no share of ours");
    return KW_OK;
}

static kw_status check_code(struct kw_op *op, const struct share_code *code)
{
    unsigned word = 0;

    if (share_code_fits(code, &word)) {
        return KW_OK;
    }
    ENSURE(op, word == 0, KW_E_INPUT, "word %u is wrong: the checksum differs", word);
    return FAIL(op, KW_E_INPUT, "several words are wrong or out of order: the checksum differs");
}

static kw_status decode_share(struct kw_op *op, const struct kw_secret *text, struct share *ret)
{
    struct share_code code;

    kw_status status = share_code_read(op, kw_secret_span(text), &code);
    if (kw_ok(status)) {
        status = check_code(op, &code);
    }
    if (kw_ok(status)) {
        status = decode_code(op, &code, ret);
    }
    kw_wipe(&code, sizeof(code));
    return status;
}

/* Does share i belong with those before it? */
static kw_status check_fit(struct kw_op *op, const struct share shares[], unsigned i)
{
    const struct share *first = &shares[0];
    const struct share *one = &shares[i];
    bool same_set = memcmp(one->set, first->set, SHARE_SET_BYTES) == 0 && one->m == first->m;

    ENSURE(op, same_set, KW_E_INPUT, "share %u is of another set than share 1", i + 1);
    for (unsigned j = 0; j < i; j++) {
        ENSURE(op, one->index != shares[j].index, KW_E_INPUT, "shares %u and %u are the same one",
               j + 1, i + 1);
    }
    return KW_OK;
}

static kw_status combine(struct kw_op *op, const struct share shares[], unsigned n,
                         struct kw_secret **ret)
{
    AUTO(kw_secret) *payload = NULL;
    AUTO(gfshare_ctx) *ctx = NULL;
    unsigned char indexes[KW_SHARES_MAX];
    uint8_t hash[KW_HASH_BYTES];
    size_t size = kw_secret_len(shares[0].data);

    for (unsigned i = 0; i < n; i++) {
        indexes[i] = shares[i].index;
    }
    TRY(op, kw_secret_new(size, &payload), "joining shares");
    ctx = gfshare_ctx_init_dec(indexes, n, (unsigned)size);
    ENSURE(op, ctx, KW_E_MEMORY, "joining shares");
    for (unsigned i = 0; i < n; i++) {
        gfshare_ctx_dec_giveshare(ctx, (unsigned char)i, kw_secret_data(shares[i].data));
    }
    gfshare_ctx_dec_extract(ctx, kw_secret_data(payload));

    struct kw_span span = kw_secret_span(payload);
    struct kw_span secret = kw_span_sub(span, 0, size - HASH_BYTES);
    digest_sha256(secret, hash);
    bool same =
        kw_equal_consttime(KW_SPAN(hash, HASH_BYTES), kw_span_sub(span, secret.len, HASH_BYTES));
    kw_wipe(hash, sizeof(hash));
    ENSURE(op, same, KW_E_INTEGRITY, "the shares do not give the secret back");
    kw_secret_trim(payload, secret.len);
    *ret = TAKE(payload);
    return KW_OK;
}

kw_status share_join(struct kw_op *op, const struct kw_secret *const shares[], unsigned n,
                     struct kw_secret **ret)
{
    __attribute__((cleanup(shares_done))) struct share parsed[KW_SHARES_MAX] = {0};

    ENSURE(op, n >= 1, KW_E_DENIED, "no share was given");
    ENSURE(op, n <= KW_SHARES_MAX, KW_E_INPUT, "at most %d shares are taken", KW_SHARES_MAX);
    ENSURE(op, random_is_set(), KW_E_INTERNAL, "joining shares");
    for (unsigned i = 0; i < n; i++) {
        kw_status status = decode_share(op, shares[i], &parsed[i]);
        if (!kw_ok(status)) {
            char cause[KW_OP_TEXT_MAX];
            (void)kw_text_copy(cause, sizeof(cause), kw_op_cause(op)); /* it is shorter */
            kw_op_clear(op);
            return FAIL(op, status.code, "share %u: %s", i + 1, cause);
        }
        TRY(op, check_fit(op, parsed, i));
    }
    ENSURE(op, n >= parsed[0].m, KW_E_DENIED, "%u shares were given, %u are needed", n,
           parsed[0].m);
    return combine(op, parsed, n, ret);
}

kw_status share_check(struct kw_op *op, const struct kw_secret *text, struct share_info *ret)
{
    __attribute__((cleanup(share_done))) struct share share = {0};

    TRY(op, decode_share(op, text, &share));
    (void)kw_hex(KW_SPAN_ARRAY(share.set), ret->set, sizeof(ret->set)); /* returns its argument */
    ret->m = share.m;
    ret->index = share.index;
    return KW_OK;
}

/* One more piece of a page, which is never cut. */
static void put(struct kw_out *page, const char *text)
{
    kw_status status = kw_out_append(page, kw_span_text(text));
    assert(kw_ok(status));
    (void)status;
}

static void put_words(struct kw_out *page, const struct share_code *code)
{
    char cell[32];

    for (unsigned i = 0; i < SHARE_WORDS_EACH; i++) {
        bool last = (i + 1) % ROW_WORDS == 0;
        (void)snprintf(cell, sizeof(cell), "%2u. %-*s%s", i + 1, last ? 0 : SHARE_WORD_MAX + 2,
                       share_words[code->at[i]], last ? "\n" : "");
        put(page, cell);
    }
    kw_wipe(cell, sizeof(cell));
}

kw_status share_page(struct kw_op *op, const struct kw_secret *share, const char *title,
                     struct kw_secret **ret)
{
    AUTO(kw_secret) *page = NULL;
    struct share_info info;
    struct share_code code;
    char head[512];

    TRY(op, share_check(op, share, &info));
    TRY(op, kw_secret_new(SHARE_TEXT_MAX, &page), "writing a share");
    struct kw_out out = {kw_secret_data(page), kw_secret_len(page), 0};
    (void)snprintf(head, sizeof(head), "# %.200s: share %u, set %s. Any %u of its set open it.\n",
                   title, info.index, info.set, info.m);
    put(&out, head);
    TRY(op, share_code_read(op, kw_secret_span(share), &code));
    put_words(&out, &code);
    kw_wipe(&code, sizeof(code));
    kw_secret_trim(page, out.len);
    *ret = TAKE(page);
    return KW_OK;
}
