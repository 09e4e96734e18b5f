#include "gate.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/b64.h"
#include "base/hex.h"
#include "base/pem.h"
#include "base/time.h"
#include "codec/json.h"
#include "crypto/cms.h"
#include "crypto/csr.h"
#include "crypto/digest.h"
#include "crypto/dn.h"
#include "crypto/ocsp.h"
#include "net/server.h"
#include "os/clock.h"
#include "os/files.h"

#define OID_SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define OID_OCSP_SIGNING "1.3.6.1.5.5.7.3.9"
enum { HOUR = 3600, RECORDS = 16384 };
int64_t gate_hours = 1000;

/* The gate's own memory: which request got which certificate, as the registry keeps it. */
struct record {
    uint8_t csr[KW_HASH_BYTES], key[KW_HASH_BYTES];
    struct kw_bytes *der;
};
static struct {
    struct gate *shared;
    struct cert *root, *ca, *other_ca, *time_cert;
    struct privkey *root_key, *ca_key, *other_key, *stranger, *time_key;
    unsigned n;
    struct record records[RECORDS];
    pthread_mutex_t lock;
} me = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void must(struct kw_op *op, kw_status status)
{
    if (!kw_ok(status)) {
        char why[512];
        (void)fprintf(stderr, "gate: %s\n", kw_op_message(op, why, sizeof(why)));
        abort();
    }
}

/* --- certificates ----------------------------------------------------------------------------- */

static kw_status issue(struct kw_op *op, struct cert_spec *spec, const char *cn,
                       const struct privkey *issuer, struct kw_bytes **ret)
{
    static atomic_uint count;
    uint8_t serial[KW_SERIAL_BYTES] = {0x11}, room[KW_DN_MAX];
    unsigned no = atomic_fetch_add(&count, 1);
    const struct dn_part parts[] = {
        {"CN", cn}
    };
    struct kw_out name = KW_OUT_ARRAY(room);

    serial[14] = (uint8_t)(no >> 8);
    serial[15] = (uint8_t)no;
    TRY(op, dn_build(op, parts, 1, &name));
    spec->serial = KW_SPAN_ARRAY(serial);
    spec->subject_dn = kw_out_span(&name);
    spec->issuer_dn = spec->issuer_dn.len ? spec->issuer_dn : spec->subject_dn;
    spec->not_before = spec->not_before ? spec->not_before : os_clock_unix_s() - HOUR;
    spec->not_after = spec->not_after ? spec->not_after : os_clock_unix_s() + gate_hours * HOUR;
    return cert_build(op, spec, issuer, ret);
}

static struct cert *make(struct cert_spec *spec, const char *cn, const struct privkey *issuer)
{
    AUTO(kw_bytes) *der = NULL;
    struct cert *cert = NULL;
    struct kw_op op;

    kw_op_init(&op, "gate", 0);
    must(&op, issue(&op, spec, cn, issuer, &der));
    must(&op, cert_parse(&op, kw_bytes_span(der), &cert));
    return cert;
}

static struct privkey *new_key(void)
{
    struct privkey *key = NULL;
    struct kw_op op;

    kw_op_init(&op, "gate", 0);
    must(&op, privkey_generate(&op, KEY_ALG_EC_P256, &key));
    return key;
}

static struct cert *make_ca(const char *cn, const struct privkey *key, const struct cert *issuer,
                            const struct privkey *issuer_key)
{
    struct cert_spec spec = {.key = privkey_public(key),
                             .is_ca = true,
                             .path_len = issuer ? 0 : -1,
                             .key_usage = CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN |
                                          CERT_KU_DIGITAL_SIGNATURE};

    if (issuer) {
        spec.issuer_dn = cert_subject(issuer);
        spec.issuer_key = cert_public(issuer);
    }
    return make(&spec, cn, issuer_key);
}

static kw_status issue_leaf(struct kw_op *op, const struct csr *csr, const char *label,
                            struct kw_bytes **ret)
{
    enum gate_cert mode = (enum gate_cert)atomic_load(&me.shared->cert);
    char url[64];
    const struct cert *ca = mode == GATE_CERT_OTHER_CA ? me.other_ca : me.ca;
    const struct privkey *ca_key = mode == GATE_CERT_OTHER_CA ? me.other_key : me.ca_key;
    int hours = atomic_load(&me.shared->leaf_hours);
    struct cert_spec spec = {
        .issuer_dn = cert_subject(ca),
        .issuer_key = cert_public(ca),
        .key = mode == GATE_CERT_OTHER_KEY ? privkey_public(me.stranger) : csr_public(csr),
        .path_len = -1,
        .key_usage = CERT_KU_DIGITAL_SIGNATURE,
        .ocsp_url = url,
    };

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/ocsp", me.shared->ocsp_port);
    if (mode == GATE_CERT_ENDED || (hours < 0 && strcmp(label, "ldevid") == 0)) {
        spec.not_before = os_clock_unix_s() - 3 * HOUR;
        spec.not_after = os_clock_unix_s() + (mode == GATE_CERT_ENDED ? -HOUR : 2);
    } else if (hours > 0 && strcmp(label, "ldevid") == 0) {
        spec.not_after = os_clock_unix_s() + (int64_t)hours * HOUR;
    }
    return issue(op, &spec, mode == GATE_CERT_OTHER_NAME ? "DEV2" : GATE_DEVICE, ca_key, ret);
}

/* --- EST -------------------------------------------------------------------------------------- */

static kw_status answer(struct kw_op *op, struct cert *const certs[], unsigned n,
                        struct http_response *response)
{
    AUTO(kw_bytes) *cms = NULL;

    TRY(op, cms_certs_build(op, certs, n, &cms));
    if (atomic_load(&me.shared->cert) == GATE_CERT_GARBAGE) {
        memset(cms->p, 0x55, cms->len / 2);
    }
    TRY(op, kw_bytes_new(cms->len * 2 + 64, &response->body));
    response->content_type = "application/pkcs7-mime";
    return kw_b64_encode(kw_bytes_span(cms), 64, response->body);
}

static kw_status cacerts(struct kw_op *op, void *ctx, const struct http_request *request,
                         struct http_response *response)
{
    struct cert *certs[] = {me.ca, me.other_ca, me.root};

    (void)ctx;
    (void)request;
    int mode = atomic_exchange(&me.shared->cert, GATE_CERT_RIGHT);
    kw_status status = answer(op, certs, 3, response);
    atomic_store(&me.shared->cert, mode);
    return status;
}

/* As the real one: the same request gets the same certificate, a used key gets none. */
static kw_status find_or_issue(struct kw_op *op, const struct csr *csr, const char *label,
                               const struct kw_bytes **ret)
{
    for (unsigned i = 0; i < me.n; i++) {
        struct record *record = &me.records[i];
        if (memcmp(record->csr, csr_sha256(csr), KW_HASH_BYTES) == 0) {
            atomic_fetch_add(&me.shared->n_replayed, 1);
            *ret = record->der;
            return KW_OK;
        }
        if (memcmp(record->key, pubkey_id(csr_public(csr)), KW_HASH_BYTES) == 0) {
            atomic_fetch_add(&me.shared->n_conflicts, 1);
            return FAIL(op, KW_E_CONFLICT, "this public key was used before");
        }
    }
    ENSURE(op, me.n < RECORDS, KW_E_FULL, "too many");
    struct record *record = &me.records[me.n];
    TRY(op, issue_leaf(op, csr, label, &record->der));
    memcpy(record->csr, csr_sha256(csr), KW_HASH_BYTES);
    memcpy(record->key, pubkey_id(csr_public(csr)), KW_HASH_BYTES);
    me.n += atomic_load(&me.shared->cert) == GATE_CERT_RIGHT; /* lies are not remembered */
    atomic_fetch_add(&me.shared->n_issued, 1);
    *ret = record->der;
    return KW_OK;
}

static kw_status refused(struct kw_op *op)
{
    static const struct {
        int http;
        enum kw_code code;
    } codes[] = {
        {400, KW_E_INPUT      },
        {401, KW_E_AUTH       },
        {403, KW_E_DENIED     },
        {404, KW_E_NOT_FOUND  },
        {405, KW_E_METHOD     },
        {409, KW_E_CONFLICT   },
        {413, KW_E_TOO_LARGE  },
        {429, KW_E_LIMIT      },
        {500, KW_E_INTERNAL   },
        {503, KW_E_UNAVAILABLE},
    };
    int http = atomic_load(&me.shared->refuse);

    for (unsigned i = 0; i < KW_COUNT(codes); i++) {
        ENSURE(op, codes[i].http != http, codes[i].code, "refused as told");
    }
    return KW_OK;
}

static kw_status enrol(struct kw_op *op, void *ctx, const struct http_request *request,
                       struct http_response *response)
{
    const char *label = kw_uri_param(&request->params, "label");
    const struct kw_bytes *der = NULL;
    AUTO(kw_bytes) *body = NULL;
    AUTO(csr) *csr = NULL;
    AUTO(cert) *cert = NULL;

    (void)ctx;
    TRY(op, refused(op));
    bool first = strcmp(label, "idevid") == 0;
    ENSURE(op, first || request->peer_cert, KW_E_AUTH, "no certificate");
    ENSURE(op, !first || request->header(request, "Authorization"), KW_E_AUTH, "no secret");
    TRY(op, kw_b64_decode(request->body, KW_CSR_MAX, &body));
    TRY(op, csr_parse(op, kw_bytes_span(body), &csr));
    pthread_mutex_lock(&me.lock);
    kw_status status = find_or_issue(op, csr, label, &der);
    pthread_mutex_unlock(&me.lock);
    TRY(op, status);
    TRY(op, cert_parse(op, kw_bytes_span(der), &cert));
    return answer(op, &cert, 1, response);
}

/* --- device API ------------------------------------------------------------------------------- */

static kw_status hello(struct kw_op *op, void *ctx, const struct http_request *request,
                       struct http_response *response)
{
    char when[KW_TIME_TEXT];
    int64_t now_ms = os_clock_unix_ms() + atomic_load(&me.shared->time_shift_ms);

    (void)ctx;
    TRY(op, refused(op));
    ENSURE(op, request->peer_cert, KW_E_AUTH, "no certificate");
    atomic_fetch_add(&me.shared->n_hellos, 1);
    TRY(op, kw_bytes_new(256, &response->body));
    response->content_type = "application/json";
    return kw_bytes_printf(response->body, "{\"device\":\"%s\",\"time\":\"%s\",\"actions\":[%s]}",
                           GATE_DEVICE, kw_time_text_ms(now_ms, when),
                           atomic_load(&me.shared->wipe) ? "\"wipe\"" : "");
}

struct stated {
    char statement[384], chain[4096];
    uint8_t signature[128];
    unsigned n_signature;
};
static const struct codec_field stated_fields[] = {
    FIELD_STRING("statement", struct stated, statement, CODEC_LINES, ""),
    FIELD_B64("signature", struct stated, signature, n_signature, 0, ""),
    FIELD_STRING("chain", struct stated, chain, CODEC_LINES, ""),
};

static kw_status put_chain(struct kw_op *op, struct stated *stated)
{
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, kw_bytes_new(sizeof(stated->chain), &pem));
    TRY(op, kw_pem_encode("CERTIFICATE", cert_der(me.time_cert), pem));
    TRY(op, kw_pem_encode("CERTIFICATE", cert_der(me.ca), pem));
    memcpy(stated->chain, pem->p, pem->len);
    return KW_OK;
}

/* docs/protocol/device-time.md, written down once more. */
static kw_status tell_time(struct kw_op *op, void *ctx, const struct http_request *request,
                           struct http_response *response)
{
    struct stated stated = {0};
    struct kw_out sig = KW_OUT_ARRAY(stated.signature);
    char when[KW_TIME_TEXT];
    const char *nonce_at = memmem(request->body.p, request->body.len, ":\"", 2);

    (void)ctx;
    TRY(op, refused(op));
    ENSURE(op, nonce_at, KW_E_INPUT, "no nonce");
    (void)snprintf(stated.statement, sizeof(stated.statement),
                   "device-time v1\nnonce: %.64s\ntime: %s\n", nonce_at + 2,
                   kw_time_text(os_clock_unix_s() + me.shared->sign_shift_ms / 1000, when));
    TRY(op, privkey_sign(op, me.time_key, kw_span_text(stated.statement), &sig));
    stated.n_signature = (unsigned)sig.len;
    TRY(op, put_chain(op, &stated));
    atomic_fetch_add(&me.shared->n_times, 1);
    TRY(op, kw_bytes_new(8192, &response->body));
    response->content_type = "application/json";
    return codec_json_encode(op, stated_fields, KW_COUNT(stated_fields), &stated, response->body);
}

/* docs/protocol/device-wipe.md, and orders that nobody may obey. */
static kw_status order_wipe(struct kw_op *op, void *ctx, const struct http_request *request,
                            struct http_response *response)
{
    struct stated stated = {0};
    struct kw_out sig = KW_OUT_ARRAY(stated.signature);
    char when[KW_TIME_TEXT], key[2 * KW_HASH_BYTES + 1], nonce_text[65];
    const char *nonce_at = memmem(request->body.p, request->body.len, ":\"", 2);
    int lie = atomic_load(&me.shared->wipe);

    (void)ctx;
    ENSURE(op, nonce_at && request->peer_cert, KW_E_INPUT, "no nonce");
    (void)snprintf(nonce_text, sizeof(nonce_text), "%.64s", nonce_at + 2);
    if (lie == GATE_WIPE_REPLAYED) {
        memset(nonce_text, 'a', 64);
    }
    kw_hex(KW_SPAN(pubkey_id(cert_public(request->peer_cert)), KW_HASH_BYTES), key, sizeof(key));
    if (lie == GATE_WIPE_OTHER_KEY) {
        memset(key, 'b', 64);
    }
    (void)kw_time_text(os_clock_unix_s() - (lie == GATE_WIPE_PAST ? HOUR - 600 : 0), when);
    (void)snprintf(stated.statement, sizeof(stated.statement),
                   lie == GATE_WIPE_OTHER_KIND
                       ? "device-time v1\n%.0s%.0snonce: %s\ntime: %s\n"
                       : "device-wipe v1\ndevice: %s\nkey-sha256: %s\nnonce: %s\ntime: %s\n",
                   lie == GATE_WIPE_OTHER_DEVICE ? "DEV2" : GATE_DEVICE, key, nonce_text, when);
    TRY(op, privkey_sign(op, lie == GATE_WIPE_STRANGER ? me.ca_key : me.time_key,
                         kw_span_text(stated.statement), &sig));
    stated.n_signature = (unsigned)sig.len;
    TRY(op, put_chain(op, &stated));
    TRY(op, kw_bytes_new(8192, &response->body));
    response->content_type = "application/json";
    return codec_json_encode(op, stated_fields, KW_COUNT(stated_fields), &stated, response->body);
}

static kw_status receipts(struct kw_op *op, void *ctx, const struct http_request *request,
                          struct http_response *response)
{
    (void)ctx;
    TRY(op, refused(op));
    bool whole = memmem(request->body.p, request->body.len, "\"signature\":\"M", 14) &&
                 memmem(request->body.p, request->body.len, GATE_DEVICE, strlen(GATE_DEVICE));
    atomic_fetch_add(whole ? &me.shared->n_receipts : &me.shared->n_bad_receipts, 1);
    response->status = 204;
    return KW_OK;
}

/* --- attestation, of a device without TPM --- */

static uint8_t nonce[32];

static kw_status challenge(struct kw_op *op, void *ctx, const struct http_request *request,
                           struct http_response *response)
{
    AUTO(kw_bytes) *b64 = NULL;

    (void)ctx;
    TRY(op, refused(op));
    ENSURE(op, request->peer_cert, KW_E_AUTH, "no certificate");
    nonce[0] = (uint8_t)(1 + atomic_fetch_add(&me.shared->n_challenges, 1));
    TRY(op, kw_bytes_new(64, &b64));
    TRY(op, kw_b64_encode(KW_SPAN_ARRAY(nonce), 0, b64));
    TRY(op, kw_bytes_new(256, &response->body));
    response->content_type = "application/json";
    if (atomic_load(&me.shared->move) > 0) {
        atomic_fetch_sub(&me.shared->move, 1);
        TRY(op, http_response_header(op, response, "Connection", "close"));
    }
    return kw_bytes_printf(response->body,
                           "{\"nonce\":\"%.*s\",\"expires_s\":60,\"pcr_mask\":\"ff0300\","
                           "\"log_from\":0,\"needs\":\"enrol\"}",
                           (int)b64->len, (const char *)b64->p);
}

struct shown {
    uint8_t nonce[32];
    unsigned n_signature;
    uint8_t signature[128];
};
static const struct codec_field shown_fields[] = {
    FIELD_SCALAR("nonce", CODEC_B64, struct shown, nonce, CODEC_REQUIRED | CODEC_FIXED, ""),
    FIELD_B64("signature", struct shown, signature, n_signature, CODEC_REQUIRED, ""),
};

/* docs/protocol/attest.md sections 1 and 5, written down once more. */
static enum gate_evidence judge(struct kw_op *op, const struct http_request *request,
                                const struct shown *shown)
{
    static const char prefix[] = "keywright-attest-v1";
    const struct pubkey *key = cert_public(request->peer_cert);
    uint8_t hashed[96], message[52];

    memcpy(hashed, nonce, 32);
    digest_sha256(pubkey_spki(key), hashed + 32);
    memcpy(hashed + 64, request->binding.p, 32);
    memcpy(message, prefix, 20);
    digest_sha256(KW_SPAN_ARRAY(hashed), message + 20);
    if (memcmp(shown->nonce, nonce, 32) != 0) {
        return GATE_EVIDENCE_OTHER_NONCE;
    }
    return kw_ok(pubkey_verify(op, key, KW_SPAN_ARRAY(message),
                               KW_SPAN(shown->signature, shown->n_signature)))
               ? GATE_EVIDENCE_GOOD
               : GATE_EVIDENCE_BAD_SIGNATURE;
}

static kw_status evidence(struct kw_op *op, void *ctx, const struct http_request *request,
                          struct http_response *response)
{
    struct shown shown = {0};

    (void)ctx;
    ENSURE(op, request->peer_cert && request->binding.len == 32, KW_E_AUTH, "no certificate");
    TRY(op, codec_json_decode(op, request->body, shown_fields, KW_COUNT(shown_fields), &shown));
    enum gate_evidence found = judge(op, request, &shown);
    atomic_store(&me.shared->evidence, (int)found);
    bool good = found == GATE_EVIDENCE_GOOD;
    TRY(op, kw_bytes_new(256, &response->body));
    response->content_type = "application/json";
    return kw_bytes_printf(response->body,
                           "{\"verdict\":\"%s\",\"reason\":\"%s\",\"detail\":\"\",\"level\":0,"
                           "\"simulated\":false%s}",
                           good ? "trusted" : "suspect", good ? "ok" : "bad_signature",
                           good ? ",\"valid_until\":\"2106-11-21T13:05:00.000Z\"" : "");
}

/* --- OCSP ------------------------------------------------------------------------------------- */

static kw_status ocsp_octets(struct http_response *response, struct kw_span der)
{
    response->content_type = "application/ocsp-response";
    return kw_bytes_copy(der, &response->body);
}

static kw_status ocsp(struct kw_op *op, void *ctx, const struct http_request *request,
                      struct http_response *response)
{
    enum gate_ocsp mode = (enum gate_ocsp)atomic_load(&me.shared->ocsp);
    bool stranger = mode == GATE_OCSP_STRANGER;
    struct ocsp_query query;
    int64_t now_s = os_clock_unix_s();

    (void)ctx;
    ENSURE(op, mode != GATE_OCSP_HTTP_500, KW_E_INTERNAL, "as told");
    if (mode == GATE_OCSP_TRY_LATER || mode == GATE_OCSP_GARBAGE) {
        return ocsp_octets(response, mode == GATE_OCSP_GARBAGE ? KW_SPAN("nonsense", 8)
                                                               : ocsp_answer_error(3));
    }
    TRY(op, ocsp_query_parse(op, request->body, &query));
    struct ocsp_single single = {.id = query.at[0],
                                 .this_update = now_s - atomic_load(&me.shared->ocsp_age_s),
                                 .next_update = now_s + HOUR,
                                 .status = mode == GATE_OCSP_REVOKED   ? OCSP_CERT_REVOKED
                                           : mode == GATE_OCSP_UNKNOWN ? OCSP_CERT_UNKNOWN
                                                                       : OCSP_CERT_GOOD,
                                 .revoked_unix = mode == GATE_OCSP_REVOKED ? now_s - 60 : 0};
    query.nonce[0] ^= mode == GATE_OCSP_OTHER_NONCE;
    response->content_type = "application/ocsp-response";
    return ocsp_answer_build(op, &single, 1, KW_SPAN(query.nonce, query.nonce_len), now_s,
                             stranger ? me.other_ca : me.ca, stranger ? me.other_key : me.ca_key,
                             &response->body);
}

/* --- the server ------------------------------------------------------------------------------- */

static kw_status anybody(struct kw_op *op, void *ctx, const struct http_request *request,
                         unsigned allowed, struct http_principal *ret)
{
    (void)op;
    (void)ctx;
    (void)request;
    (void)allowed;
    memset(ret, 0, sizeof(*ret));
    ret->kind = AUTH_NONE;
    return KW_OK;
}

/* clang-format off */
static const struct route gate_routes[] = {
    {HTTP_GET,  "/.well-known/est/cacerts",                AUTH_NONE, NULL, 0,     5000, 0, cacerts,  &http_errors_text, "CAs"},
    {HTTP_POST, "/.well-known/est/{label}/simpleenroll",   AUTH_NONE, NULL, 16384, 5000, 0, enrol,    &http_errors_text, "enrol"},
    {HTTP_POST, "/.well-known/est/{label}/simplereenroll", AUTH_NONE, NULL, 16384, 5000, 0, enrol,    &http_errors_text, "renew"},
    {HTTP_POST, "/device/v1/hello",                        AUTH_NONE, NULL, 8192,  5000, 0, hello,    &http_errors_json, "hello"},
    {HTTP_GET,  "/device/v1/attest/challenge",             AUTH_NONE, NULL, 0,     5000, 0, challenge, &http_errors_json, "challenge"},
    {HTTP_POST, "/device/v1/attest/evidence",              AUTH_NONE, NULL, 98304, 5000, ROUTE_BINDING, evidence, &http_errors_json, "evidence"},
    {HTTP_POST, "/device/v1/time",                         AUTH_NONE, NULL, 1024,  5000, 0, tell_time, &http_errors_json, "time"},
    {HTTP_POST, "/device/v1/wipe",                         AUTH_NONE, NULL, 1024,  5000, 0, order_wipe, &http_errors_json, "wipe"},
    {HTTP_POST, "/device/v1/receipts",                     AUTH_NONE, NULL, 8192,  5000, 0, receipts, &http_errors_json, "receipts"},
};
static const struct route ocsp_routes[] = {
    {HTTP_POST, "/ocsp", AUTH_NONE, NULL, 4096, 5000, 0, ocsp, &http_errors_text, "OCSP"},
};
/* clang-format on */

static void listen_on(struct kw_op *op, struct http_server *server, const struct route *routes,
                      unsigned n, struct tls_server *tls, uint16_t *ret_port)
{
    const struct route *tables[] = {routes, NULL};
    struct http_listener listener = {.name = "gate",
                                     .address = "127.0.0.1",
                                     .tls = tls,
                                     .tables = tables,
                                     .n_rows = &n,
                                     .authenticate = anybody,
                                     .ctx = &me,
                                     .connections_max = 4000};

    must(op, http_server_listen(op, server, &listener, ret_port));
}

static struct tls_server *make_tls(struct kw_op *op, uint16_t ocsp_port)
{
    char url[64];
    struct privkey *key = new_key();
    struct cert_spec spec = {.issuer_dn = cert_subject(me.ca),
                             .issuer_key = cert_public(me.ca),
                             .key = privkey_public(key),
                             .path_len = -1,
                             .key_usage = CERT_KU_DIGITAL_SIGNATURE,
                             .eku = {OID_SERVER_AUTH},
                             .san_ip = {"127.0.0.1"},
                             .ocsp_url = url};
    struct tls_server *tls = NULL;

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/ocsp", ocsp_port);
    struct cert *chain[] = {make(&spec, "gate", me.ca_key), me.ca};
    struct tls_server_config config = {.chain = chain,
                                       .n_chain = 2,
                                       .key = key,
                                       .client_roots = &me.root,
                                       .n_client_roots = 1,
                                       .client_intermediates = &me.ca,
                                       .n_client_intermediates = 1};
    must(op, tls_server_new(op, &config, &tls));
    return tls;
}

static void serve(void)
{
    struct http_server *server = NULL;
    struct http_server_config limits = {.pool_threads = 2};
    struct kw_op op;
    uint16_t port = 0;

    kw_op_init(&op, "gate", 0);
    must(&op, http_server_new(&op, &limits, &server));
    listen_on(&op, server, ocsp_routes, KW_COUNT(ocsp_routes), NULL, &me.shared->ocsp_port);
    listen_on(&op, server, gate_routes, KW_COUNT(gate_routes), make_tls(&op, me.shared->ocsp_port),
              &port);
    must(&op, http_server_start(&op, server));
    __atomic_store_n(&me.shared->port, port, __ATOMIC_SEQ_CST);
    for (;;) {
        (void)pause();
    }
}

static void make_time_signer(void)
{
    me.time_key = new_key();
    struct cert_spec spec = {.issuer_dn = cert_subject(me.ca),
                             .issuer_key = cert_public(me.ca),
                             .key = privkey_public(me.time_key),
                             .path_len = -1,
                             .key_usage = CERT_KU_DIGITAL_SIGNATURE,
                             .eku = {OID_OCSP_SIGNING}};

    me.time_cert = make(&spec, "time", me.ca_key);
}

static void put_root(const char *dir, const char *name, const struct cert *cert, char path[96])
{
    AUTO(kw_bytes) *pem = NULL;
    struct kw_op op;

    kw_op_init(&op, "gate", 0);
    (void)snprintf(path, 96, "%s/%s", dir, name);
    must(&op, kw_bytes_new(2048, &pem));
    must(&op, kw_pem_encode("CERTIFICATE", cert_der(cert), pem));
    must(&op, os_file_write(&op, path, 0644, kw_bytes_span(pem)));
}

struct gate *gate_start(const char *dir)
{
    me.shared =
        mmap(NULL, sizeof(*me.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (me.shared == MAP_FAILED) {
        abort();
    }
    me.root_key = new_key();
    me.ca_key = new_key();
    me.other_key = new_key();
    me.stranger = new_key();
    me.root = make_ca("root", me.root_key, NULL, me.root_key);
    me.ca = make_ca("ca", me.ca_key, me.root, me.root_key);
    me.other_ca = make_ca("other", me.other_key, NULL, me.other_key);
    make_time_signer();
    put_root(dir, "root.pem", me.root, me.shared->trust);
    put_root(dir, "other.pem", me.other_ca, me.shared->other_trust);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve();
    }
    me.shared->pid = pid;
    for (unsigned i = 0; i < 1000 && !__atomic_load_n(&me.shared->port, __ATOMIC_SEQ_CST); i++) {
        (void)usleep(5000);
    }
    return me.shared;
}

void gate_stop(struct gate *gate)
{
    (void)kill(gate->pid, SIGKILL);
    (void)waitpid(gate->pid, NULL, 0);
}
