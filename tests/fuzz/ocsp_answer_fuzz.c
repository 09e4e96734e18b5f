/*
 * An OCSP answer from the network. The seeds are of one authority, whose certificates lie in the
 * corpus of 'cert'; nobody else has its key, so what is believed is octet for octet what it signed.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "crypto/ocsp.h"
#include "crypto/openssl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    struct cert *issuer, *about;
    uint8_t room[2][4096];
    struct kw_span signed_ones[2];
} known;

static void need(bool fact)
{
    if (!fact) {
        abort();
    }
}

static struct kw_span load(const char *name, uint8_t *room, size_t cap)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s.der", KW_CORPUS, name);
    FILE *file = fopen(path, "rb");
    need(file != NULL);
    size_t n = fread(room, 1, cap, file);
    need(fclose(file) == 0 && n > 0 && n < cap);
    return KW_SPAN(room, n);
}

/* What an answer's signature covers, as it was sent: empty where there is none. */
static struct kw_span signed_part(struct kw_span der, uint8_t *room, size_t cap)
{
    const unsigned char *p = der.p;
    unsigned char *to = room;
    int n = 0;

    AUTO(OCSP_RESPONSE) *response = d2i_OCSP_RESPONSE(NULL, &p, (long)der.len);
    AUTO(OCSP_BASICRESP) *basic = response ? OCSP_response_get1_basic(response) : NULL;
    if (basic) {
        const OCSP_RESPDATA *data = OCSP_resp_get0_respdata(basic);
        n = i2d_OCSP_RESPDATA((OCSP_RESPDATA *)(uintptr_t)data, NULL);
        n = n > 0 && (size_t)n <= cap ? i2d_OCSP_RESPDATA((OCSP_RESPDATA *)(uintptr_t)data, &to)
                                      : 0;
    }
    ERR_clear_error();
    return KW_SPAN(room, (size_t)n);
}

static void load_all(void)
{
    static const char *const answers[] = {"ocsp_answer/sha1", "ocsp_answer/sha256"};
    uint8_t room[2048];

    need(kw_ok(cert_parse(NULL, load("cert/sub", room, sizeof(room)), &known.issuer)));
    need(kw_ok(cert_parse(NULL, load("cert/idevid", room, sizeof(room)), &known.about)));
    for (size_t i = 0; i < KW_COUNT(answers); i++) {
        struct kw_span der = load(answers[i], room, sizeof(room));
        known.signed_ones[i] = signed_part(der, known.room[i], sizeof(known.room[i]));
        need(known.signed_ones[i].len > 0);
    }
}

static bool was_signed(struct kw_span tbs)
{
    return kw_span_equal(tbs, known.signed_ones[0]) || kw_span_equal(tbs, known.signed_ones[1]);
}

/* One of 16 inputs by their octets, so that one that fails does so again. */
static bool is_chosen(struct kw_span der)
{
    uint8_t all = 0;

    for (size_t i = 0; i < der.len; i++) {
        all ^= der.p[i];
    }
    return all % 16 == 0;
}

/* Verifying takes some hundred times as long as reading: always where the signed part is as it was,
 * else for a few. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_span der = KW_SPAN(data, size);
    struct ocsp_single said, single;
    uint8_t room[4096];

    if (!known.issuer) {
        load_all();
    }
    if (!kw_ok(ocsp_answer_peek(NULL, der, known.about, known.issuer, &said))) {
        return 0;
    }
    struct kw_span tbs = signed_part(der, room, sizeof(room));
    if (!was_signed(tbs) && !is_chosen(der)) {
        return 0;
    }
    bool believed = kw_ok(ocsp_answer_check(NULL, der, known.about, known.issuer, KW_SPAN(NULL, 0),
                                            said.this_update, &single));
    need(!believed || was_signed(tbs));
    return 0;
}
