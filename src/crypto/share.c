#include "crypto/share.h"

#include <assert.h>
#include <errno.h>
#include <libgfshare.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/openssl.h"

#define MAGIC "kwshare1"

enum {
    SET_BYTES = 4,
    CHECK_BYTES = 4,
    HASH_BYTES = 8, /* of the secret, inside the shared octets */
    DATA_MAX = SHARE_SECRET_MAX + HASH_BYTES,
    HEAD_MAX = 32, /* "kwshare1-01234567-16-16-" */
    TEXT_MAX = HEAD_MAX + 2 * DATA_MAX + 1 + 2 * CHECK_BYTES,
};

struct share {
    uint8_t set[SET_BYTES];
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

static kw_status compute_check(struct kw_op *op, const struct share *share,
                               uint8_t ret[CHECK_BYTES])
{
    AUTO(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    uint8_t hash[KW_HASH_BYTES];
    struct kw_span data = kw_secret_span(share->data);

    bool done =
        ctx && EVP_DigestInit_ex2(ctx, EVP_sha256(), NULL) == 1 &&
        EVP_DigestUpdate(ctx, MAGIC, strlen(MAGIC)) == 1 &&
        EVP_DigestUpdate(ctx, share->set, SET_BYTES) == 1 &&
        EVP_DigestUpdate(ctx, &share->m, 1) == 1 && EVP_DigestUpdate(ctx, &share->index, 1) == 1 &&
        EVP_DigestUpdate(ctx, data.p, data.len) == 1 && EVP_DigestFinal_ex(ctx, hash, NULL) == 1;
    OSSL_ENSURE(op, done, KW_E_INTERNAL, "computing a share's checksum");
    memcpy(ret, hash, CHECK_BYTES);
    return KW_OK;
}

static kw_status encode_share(struct kw_op *op, const struct share *share, struct kw_secret **ret)
{
    AUTO(kw_secret) *text = NULL;
    uint8_t check[CHECK_BYTES];
    char set[2 * SET_BYTES + 1];
    size_t n_hex = 2 * kw_secret_len(share->data);

    TRY(op, compute_check(op, share, check));
    TRY(op, kw_secret_new(TEXT_MAX + 1, &text), "writing a share");
    char *p = (char *)kw_secret_data(text);
    int head =
        snprintf(p, HEAD_MAX, MAGIC "-%s-%u-%u-",
                 kw_hex(KW_SPAN_ARRAY(share->set), set, sizeof(set)), share->m, share->index);
    assert(head > 0 && head < HEAD_MAX);
    size_t at = (size_t)head;
    (void)kw_hex(kw_secret_span(share->data), p + at, n_hex + 1); /* returns its own argument */
    at += n_hex;
    p[at++] = '-';
    (void)kw_hex(KW_SPAN_ARRAY(check), p + at, 2 * CHECK_BYTES + 1); /* likewise */
    kw_secret_trim(text, at + 2 * CHECK_BYTES);
    *ret = TAKE(text);
    return KW_OK;
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
    uint8_t set[SET_BYTES];

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
    ENSURE(op, len >= 1 && len <= SHARE_SECRET_MAX, KW_E_INPUT, "a secret of %zu octets", len);
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

/* The next field of a share's text, up to '-' or the end. NULL where there is none. */
static char *next_field(char **rest)
{
    return *rest ? strsep(rest, "-") : NULL;
}

/* 1..KW_SHARES_MAX in decimal, in the one form that share_split() writes; 0 otherwise. */
static uint8_t small_number(const char *text)
{
    uint8_t value = 0;

    if (!text || text[0] < '1' || text[0] > '9' || strlen(text) > 2) {
        return 0;
    }
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9') {
            return 0;
        }
        value = (uint8_t)(value * 10 + (*p - '0'));
    }
    return value <= KW_SHARES_MAX ? value : 0;
}

static bool unhex_exactly(const char *text, uint8_t *room, size_t n)
{
    struct kw_out out = {room, n, 0};
    return text && kw_ok(kw_unhex(text, &out)) && out.len == n;
}

/* A NUL-terminated copy without the white space around. */
static kw_status copy_trimmed(const struct kw_secret *text, struct kw_secret **ret)
{
    struct kw_span span = kw_secret_span(text);

    while (span.len > 0 && strchr(" \t\r\n", span.p[span.len - 1])) {
        span.len--;
    }
    while (span.len > 0 && strchr(" \t\r\n", span.p[0])) {
        span = kw_span_sub(span, 1, span.len);
    }
    if (span.len > TEXT_MAX) {
        return KW_FAIL(KW_E_TOO_LARGE);
    }
    kw_status status = kw_secret_new(span.len + 1, ret);
    if (kw_ok(status) && span.len > 0) {
        memcpy(kw_secret_data(*ret), span.p, span.len);
    }
    return status;
}

/* False: damaged. ret->data is the caller's to free in any case. */
static bool split_fields(char *text, struct share *ret, uint8_t ret_check[CHECK_BYTES])
{
    char *rest = text;
    const char *magic = next_field(&rest);
    const char *set = next_field(&rest);
    const char *m = next_field(&rest);
    const char *index = next_field(&rest);
    const char *data = next_field(&rest);
    const char *check = next_field(&rest);

    ret->m = small_number(m);
    ret->index = small_number(index);
    size_t n_data = data ? strlen(data) / 2 : 0;
    return check && !rest && strcmp(magic, MAGIC) == 0 && ret->m >= 2 && ret->index >= 1 &&
           unhex_exactly(set, ret->set, SET_BYTES) &&
           unhex_exactly(check, ret_check, CHECK_BYTES) && n_data > HASH_BYTES &&
           kw_ok(kw_secret_new(n_data, &ret->data)) &&
           unhex_exactly(data, kw_secret_data(ret->data), n_data);
}

static kw_status decode_share(struct kw_op *op, const struct kw_secret *text, unsigned number,
                              struct share *ret)
{
    AUTO(kw_secret) *copy = NULL;
    uint8_t told[CHECK_BYTES];
    uint8_t check[CHECK_BYTES];

    bool well_formed =
        kw_ok(copy_trimmed(text, &copy)) && split_fields((char *)kw_secret_data(copy), ret, told);
    ENSURE(op, well_formed, KW_E_INPUT, "share %u is damaged", number);
    TRY(op, compute_check(op, ret, check));
    ENSURE(op, memcmp(told, check, sizeof(check)) == 0, KW_E_INPUT,
           "share %u is damaged: its checksum differs", number);
    return KW_OK;
}

/* Does share i belong with those before it? */
static kw_status check_fit(struct kw_op *op, const struct share shares[], unsigned i)
{
    const struct share *first = &shares[0];
    const struct share *one = &shares[i];
    bool same_set = memcmp(one->set, first->set, SET_BYTES) == 0 && one->m == first->m &&
                    kw_secret_len(one->data) == kw_secret_len(first->data);

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
        TRY(op, decode_share(op, shares[i], i + 1, &parsed[i]));
        TRY(op, check_fit(op, parsed, i));
    }
    ENSURE(op, n >= parsed[0].m, KW_E_DENIED, "%u shares were given, %u are needed", n,
           parsed[0].m);
    return combine(op, parsed, n, ret);
}
