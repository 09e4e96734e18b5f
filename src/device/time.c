/* Time without a clock: docs/protocol/device-time.md. */
#include "base/hex.h"
#include "codec/json.h"
#include "device/device.h"
#include "device/events.h"
#include "model/statement.h"
#include "os/clock.h"
#include "os/rng.h"

enum {
    ANSWER_MAX = 65536,
    ROUND_TRIP_MS = 30000,
    AGREE_S = 60, /* two statements of one moment */
    CERTS = 4
};
static const int64_t YEAR_S = (int64_t)366 * 86400;
static const char OCSP_SIGNING[] = "1.3.6.1.5.5.7.3.9";

struct answer {
    char statement[STATEMENT_MAX];
    uint8_t signature[KW_SIG_MAX];
    uint32_t signature_len;
    char chain[4 * KW_CERT_MAX];
};
static const struct codec_field answer_fields[] = {
    FIELD_STRING("statement", struct answer, statement, CODEC_REQUIRED | CODEC_LINES, ""),
    FIELD_B64("signature", struct answer, signature, signature_len, CODEC_REQUIRED, ""),
    FIELD_STRING("chain", struct answer, chain, CODEC_REQUIRED | CODEC_LINES, ""),
};
struct question {
    char nonce[2 * KW_HASH_BYTES + 1];
};
static const struct codec_field question_fields[] = {
    FIELD_STRING("nonce", struct question, nonce, 0, ""),
};

int64_t device_floor_ms(const struct device *device)
{
    static const int64_t build_ms = (int64_t)KW_BUILD_S * 1000;

    return device->config.floor_ms > build_ms ? device->config.floor_ms : build_ms;
}

int64_t device_now_s(const struct device *device)
{
    int64_t floor_ms = device_floor_ms(device);
    int64_t now_ms = device->base_ms
                         ? device->base_ms + (os_clock_up_s() - device->base_up_s) * 1000
                         : os_clock_unix_ms();

    return (now_ms > floor_ms ? now_ms : floor_ms) / 1000;
}

/* The signer must lead to the pinned root at the very time that it states. */
static kw_status check_signer(struct kw_op *op, const struct device *device,
                              struct cert *const at[], unsigned n, const struct answer *answer,
                              int64_t stated_s)
{
    TRY(op,
        cert_verify_path(op, at[0], at + 1, n - 1, device->roots, device->n_roots, OCSP_SIGNING,
                         stated_s),
        "who signed the time");
    TRY(op,
        pubkey_verify(op, cert_public(at[0]), kw_span_text(answer->statement),
                      KW_SPAN(answer->signature, answer->signature_len)),
        "the signed time");
    return KW_OK;
}

static kw_status check(struct kw_op *op, const struct device *device, const struct answer *answer,
                       const char *nonce, int64_t *ret_s)
{
    struct cert *certs[CERTS] = {0};
    struct statement statement;
    unsigned n = 0;

    ENSURE(op,
           kw_ok(statement_parse(kw_span_text(answer->statement), &statement, NULL)) &&
               statement.kind == STATEMENT_DEVICE_TIME && statement_is(&statement, "nonce", nonce),
           KW_E_AUTH, "what the server states is not the time for our nonce");
    int64_t stated_s = statement_time(&statement, "time");
    TRY(op, cert_parse_pem(op, kw_span_text(answer->chain), certs, CERTS, &n), "chain of the time");
    kw_status status = check_signer(op, device, certs, n, answer, stated_s);
    for (unsigned i = 0; i < n; i++) {
        cert_unref(certs[i]);
    }
    TRY(op, status);
    *ret_s = stated_s;
    return KW_OK;
}

/* No time is asked of the server's certificate, nor whether it was revoked: the answer proves
 * itself, and nothing else goes over this connection. */
static kw_status call(struct kw_op *op, const struct device *device, const char *nonce,
                      struct answer *ret)
{
    struct question question = {0};
    struct http_answer got = {0};
    AUTO(kw_bytes) *json = NULL;
    AUTO(http_client) *client = NULL;
    struct http_client_config config = {.base_url = device->config.server,
                                        .roots = device->roots,
                                        .n_roots = device->n_roots,
                                        .any_time = true,
                                        .response_max = ANSWER_MAX};

    KW_TEXT_SET(question.nonce, nonce);
    TRY(op, kw_bytes_new(128, &json));
    TRY(op, codec_json_encode(op, question_fields, KW_COUNT(question_fields), &question, json));
    TRY(op, http_client_new(op, &config, &client));
    struct http_call what = {.method = HTTP_POST,
                             .path = "/device/v1/time",
                             .content_type = "application/json",
                             .body = kw_bytes_span(json)};
    TRY(op, http_client_call(op, client, &what, &got), "asking for the time");
    AUTO(kw_bytes) *body = TAKE(got.body);
    int status = got.status;
    http_answer_done(&got);
    ENSURE(op, status == 200, KW_E_UNAVAILABLE, "the server tells no time (status %d)", status);
    return codec_json_decode(op, kw_bytes_span(body), answer_fields, KW_COUNT(answer_fields), ret);
}

static kw_status ask_once(struct kw_op *op, const struct device *device, int64_t *ret_s)
{
    uint8_t random[KW_HASH_BYTES];
    char nonce[2 * KW_HASH_BYTES + 1];
    struct answer answer = {0};
    int64_t began_ms = os_clock_mono_ms();

    TRY(op, os_random(op, random, sizeof(random)));
    kw_hex(KW_SPAN_ARRAY(random), nonce, sizeof(nonce));
    TRY(op, call(op, device, nonce, &answer));
    ENSURE(op, os_clock_mono_ms() - began_ms < ROUND_TRIP_MS, KW_E_TIMEOUT,
           "the signed time came too late to be the time");
    return check(op, device, &answer, nonce, ret_s);
}

/* A year beyond all that is believed is a claim that one answer does not carry. */
static kw_status ask_again(struct kw_op *op, const struct device *device, int64_t first_s)
{
    int64_t second_s = 0;

    if (first_s <= device_floor_ms(device) / 1000 + YEAR_S) {
        return KW_OK;
    }
    TRY(op, ask_once(op, device, &second_s));
    ENSURE(op, second_s >= first_s && second_s - first_s <= AGREE_S, KW_E_AUTH,
           "two signed times do not agree");
    return KW_OK;
}

kw_status device_ask_time(struct kw_op *op, struct device *device)
{
    int64_t stated_s = 0;

    TRY(op, ask_once(op, device, &stated_s));
    TRY(op, ask_again(op, device, stated_s));
    device->base_ms = stated_s * 1000;
    device->base_up_s = os_clock_up_s();
    events_note_once(device, DEVICE_EVENT_TIME_PROVEN,
                     "the clock was not believed; the server signed the time");
    if (device->base_ms <= device->config.floor_ms) {
        return KW_OK;
    }
    device->config.floor_ms = device->base_ms;
    return state_save_config(op, device);
}

bool device_take_time(struct device *device, int64_t said_ms)
{
    struct kw_op own; /* a time that cannot be proven is not taken */
    int64_t before_ms = device->config.floor_ms;

    if (said_ms <= device_floor_ms(device) + YEAR_S * 1000) {
        device->config.floor_ms = said_ms > before_ms ? said_ms : before_ms;
    } else {
        kw_op_init(&own, NULL, 0);
        (void)kw_ok(device_ask_time(&own, device));
    }
    return device->config.floor_ms != before_ms;
}
