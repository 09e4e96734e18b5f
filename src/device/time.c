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
    AGREE_S = 60,   /* two statements of one moment */
    SLACK_S = 3600, /* a clock so far behind is one that runs, not one that was lost */
    DAY_S = 86400,
    CERTS = 12 /* with the links between roots */
};
static const int64_t YEAR_S = DEVICE_LEAP_MAX_S;
static const char OCSP_SIGNING[] = "1.3.6.1.5.5.7.3.9";

static const struct codec_field answer_fields[] = {
    FIELD_STRING("statement", struct device_stated, statement, CODEC_REQUIRED | CODEC_LINES, ""),
    FIELD_B64("signature", struct device_stated, signature, signature_len, CODEC_REQUIRED, ""),
    FIELD_STRING("chain", struct device_stated, chain, CODEC_REQUIRED | CODEC_LINES, ""),
};
struct question {
    char nonce[2 * KW_HASH_BYTES + 1];
};
static const struct codec_field question_fields[] = {
    FIELD_STRING("nonce", struct question, nonce, 0, ""),
};

/* --- the floor ---------------------------------------------------------------------------------
 */

static void boot_of_now(char ret[2 * OS_BOOT_ID_BYTES + 1])
{
    uint8_t boot[OS_BOOT_ID_BYTES];

    os_clock_boot_id(boot);
    kw_hex(KW_SPAN_ARRAY(boot), ret, 2 * OS_BOOT_ID_BYTES + 1);
}

/* What the uptime says of the time since the floor was proven: in the same start of the machine the
 * difference, in a later one all of it. A second less, for both are cut to seconds. */
static int64_t since_floor_s(const struct device_config *config)
{
    char boot[2 * OS_BOOT_ID_BYTES + 1];
    int64_t up_s = os_clock_up_s();

    boot_of_now(boot);
    bool same = strcmp(boot, config->floor_boot) == 0 && up_s >= config->floor_up_s;
    int64_t since_s = (same ? up_s - config->floor_up_s : up_s) - 1;
    return since_s > 0 ? since_s : 0;
}

int64_t device_floor_ms(const struct device *device)
{
    static const int64_t build_ms = (int64_t)KW_BUILD_S * 1000;
    const struct device_config *config = &device->config;
    int64_t floor_ms = config->floor_ms ? config->floor_ms + since_floor_s(config) * 1000 : 0;

    return floor_ms > build_ms ? floor_ms : build_ms;
}

static void raise_floor(struct device *device, int64_t proven_ms)
{
    if (proven_ms > device_floor_ms(device)) {
        device->config.floor_ms = proven_ms;
        device->config.floor_up_s = os_clock_up_s();
        boot_of_now(device->config.floor_boot);
    }
}

void device_take_fact(struct device *device, int64_t signed_s)
{
    if (signed_s * 1000 <= device_floor_ms(device) + YEAR_S * 1000) {
        raise_floor(device, signed_s * 1000);
    }
}

/* --- what time it is ---------------------------------------------------------------------------
 */

/* Behind what is proven it is wrong; far ahead of it nobody vouches for it. */
bool device_believes_clock(const struct device *device)
{
    int64_t ahead_ms = os_clock_unix_ms() - device_floor_ms(device);

    return ahead_ms >= -(int64_t)SLACK_S * 1000 && ahead_ms <= YEAR_S * 1000;
}

int64_t device_now_s(const struct device *device)
{
    int64_t floor_ms = device_floor_ms(device);
    int64_t now_ms = device_believes_clock(device) ? os_clock_unix_ms() : floor_ms;

    if (device->base_ms) {
        now_ms = device->base_ms + (os_clock_up_s() - device->base_up_s) * 1000;
    }
    return (now_ms > floor_ms ? now_ms : floor_ms) / 1000;
}

/* --- signed times ------------------------------------------------------------------------------
 */

/* The signer must lead to the pinned root at the very time that it states. */
static kw_status check_signer(struct kw_op *op, const struct device *device,
                              struct cert *const at[], unsigned n,
                              const struct device_stated *answer, int64_t stated_s)
{
    TRY(op,
        cert_verify_path(op, at[0], at + 1, n - 1, device->roots, device->n_roots, OCSP_SIGNING,
                         stated_s),
        "who signed it");
    TRY(op,
        pubkey_verify(op, cert_public(at[0]), kw_span_text(answer->statement),
                      KW_SPAN(answer->signature, answer->signature_len)),
        "the signature");
    return KW_OK;
}

kw_status device_stated_check(struct kw_op *op, const struct device *device,
                              const struct device_stated *stated, enum statement_kind kind,
                              const char *nonce, struct statement *ret)
{
    struct cert *certs[CERTS] = {0};
    unsigned n = 0;

    ENSURE(op,
           kw_ok(statement_parse(kw_span_text(stated->statement), ret, NULL)) &&
               ret->kind == kind && statement_is(ret, "nonce", nonce),
           KW_E_AUTH, "what the server states is no %s for our nonce", statement_kind_text(kind));
    TRY(op, cert_parse_pem(op, kw_span_text(stated->chain), certs, CERTS, &n), "the signer");
    kw_status status = check_signer(op, device, certs, n, stated, statement_time(ret, "time"));
    for (unsigned i = 0; i < n; i++) {
        cert_unref(certs[i]);
    }
    return status;
}

kw_status device_stated_read(struct kw_op *op, struct kw_span json, struct device_stated *ret)
{
    return codec_json_decode(op, json, answer_fields, KW_COUNT(answer_fields), ret);
}

static kw_status check(struct kw_op *op, const struct device *device,
                       const struct device_stated *answer, const char *nonce, int64_t *ret_s)
{
    struct statement statement;

    TRY(op, device_stated_check(op, device, answer, STATEMENT_DEVICE_TIME, nonce, &statement));
    *ret_s = statement_time(&statement, "time");
    return KW_OK;
}

/* No time is asked of the server's certificate, nor whether it was revoked: the answer proves
 * itself, and nothing else goes over this connection. */
static kw_status call(struct kw_op *op, const struct device *device, const char *nonce,
                      struct device_stated *ret)
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
    struct device_stated answer = {0};
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

/* What is stated, and by two where it is far away. */
static kw_status ask_proven(struct kw_op *op, const struct device *device, int64_t *ret_s)
{
    TRY(op, ask_once(op, device, ret_s));
    return ask_again(op, device, *ret_s);
}

kw_status device_ask_time(struct kw_op *op, struct device *device)
{
    int64_t stated_s = 0;

    TRY(op, ask_proven(op, device, &stated_s));
    device->base_ms = stated_s * 1000;
    device->base_up_s = os_clock_up_s();
    events_note_once(device, DEVICE_EVENT_TIME_PROVEN,
                     "the clock was not believed; the server signed the time");
    int64_t before_ms = device->config.floor_ms;
    raise_floor(device, device->base_ms);
    return device->config.floor_ms == before_ms ? KW_OK : state_save_config(op, device);
}

/* A word that nobody signed proves nothing: some hundred of them would end every certificate. */
void device_take_time(struct device *device, int64_t said_ms)
{
    struct kw_op own; /* a time that cannot be proven is not taken */
    int64_t stated_s = 0;

    kw_op_init(&own, NULL, 0);
    if (said_ms > device_floor_ms(device) + (int64_t)DAY_S * 1000 &&
        kw_ok(ask_proven(&own, device, &stated_s))) {
        raise_floor(device, stated_s * 1000);
    }
}
