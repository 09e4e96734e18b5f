/*
 * Data with a signature that says by whom, when and in which order: docs/protocol/signed-data.md.
 * In the state folder: sequence.json (the last number given away) and guards/ (the last number seen
 * of each signer). Both stay when the identity is wiped: what was said once stays said.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "codec/json.h"
#include "crypto/digest.h"
#include "crypto/dn.h"
#include "device/device.h"
#include "device/jws.h"
#include "os/clock.h"
#include "os/files.h"
#include "rot/dirlock.h"

enum { NUMBER_FILE_MAX = 1024, AGE_DEFAULT_S = 300 };

static const char SEQUENCE[] = "sequence.json";

/* --- numbers that only grow ------------------------------------------------------------------- */

struct number {
    char of[KW_NAME_MAX]; /* whose; "" = ours */
    uint64_t seq;
};
static const struct codec_field number_fields[] = {
    FIELD_STRING("of", struct number, of, CODEC_OMIT_EMPTY, "whose"),
    FIELD_INT("seq", struct number, seq, CODEC_REQUIRED, 0, INT64_MAX, "the last one"),
};

static kw_status lock_numbers(struct kw_op *op, const struct device *device, int *ret_fd)
{
    char path[KW_PATH_BYTES];

    TRY(op, state_path(op, device, "guards", path, sizeof(path)));
    TRY(op, os_dir_make(op, path, 0700));
    return rot_dir_lock(op, path, ret_fd);
}

/* A file that is not there is number zero. */
static kw_status read_number(struct kw_op *op, const struct device *device, const char *name,
                             struct number *number)
{
    AUTO(kw_bytes) *json = NULL;
    kw_status status = state_read(op, device, name, NUMBER_FILE_MAX, &json);

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    TRY(op,
        codec_json_decode(op, kw_bytes_span(json), number_fields, KW_COUNT(number_fields), number),
        "%s", name);
    return KW_OK;
}

static kw_status write_number(struct kw_op *op, const struct device *device, const char *name,
                              const struct number *number)
{
    AUTO(kw_bytes) *json = NULL;

    TRY(op, kw_bytes_new(128, &json));
    TRY(op, codec_json_encode(op, number_fields, KW_COUNT(number_fields), number, json));
    return state_write(op, device, name, kw_bytes_span(json));
}

/* Durable before it is used. The first one is the time in milliseconds, so that a device that lost
 * its folder does not begin below what others saw of it. */
static kw_status next_number(struct kw_op *op, struct device *device, uint64_t *ret)
{
    OS_FD_AUTO int lock = -1;
    struct number number = {0};

    TRY(op, lock_numbers(op, device, &lock));
    TRY(op, read_number(op, device, SEQUENCE, &number));
    number.seq = number.seq ? number.seq + 1 : (uint64_t)device_now_s(device) * 1000;
    TRY(op, write_number(op, device, SEQUENCE, &number), "noting the sequence number");
    *ret = number.seq;
    return KW_OK;
}

/* At most once: noted before the data is handed on. */
static kw_status guard(struct kw_op *op, const struct device *device, const char *signer,
                       uint64_t seq)
{
    OS_FD_AUTO int lock = -1;
    struct number seen = {0};
    uint8_t hash[KW_HASH_BYTES];
    char hex[33], name[64];

    digest_sha256(KW_SPAN(signer, strlen(signer)), hash);
    kw_hex(KW_SPAN(hash, 16), hex, sizeof(hex));
    (void)snprintf(name, sizeof(name), "guards/%s.json", hex);
    TRY(op, lock_numbers(op, device, &lock));
    TRY(op, read_number(op, device, name, &seen));
    ENSURE(op, seq > seen.seq, KW_E_CONFLICT,
           "replayed: number %llu of '%s' was seen, this is %llu", (unsigned long long)seen.seq,
           signer, (unsigned long long)seq);
    KW_TEXT_SET(seen.of, signer);
    seen.seq = seq;
    return write_number(op, device, name, &seen);
}

static void jws_header_free(struct jws_header *header)
{
    free(header);
}
KW_OWNED(jws_header, struct jws_header, jws_header_free)

/* --- signing ---------------------------------------------------------------------------------- */

kw_status device_sign_data(struct kw_op *op, struct device *device, const char *type,
                           const char *audience, struct kw_span data, struct kw_bytes **ret)
{
    AUTO(cert) *cert = NULL;
    AUTO(privkey) *key = NULL;
    AUTO(jws_header) *header = calloc(1, sizeof(*header));
    struct cert *chain[2];

    ENSURE(op, header, KW_E_MEMORY, "signed data");
    ENSURE(op, *type && KW_TEXT_SET(header->typ, type), KW_E_INPUT,
           "the type of the data must have 1 to %d characters", JWS_TYPE_MAX - 1);
    ENSURE(op, !audience || KW_TEXT_SET(header->aud, audience), KW_E_INPUT,
           "the name of the audience is too long");
    TRY(op, server_identity(op, device, DEVICE_LDEVID, &cert, &key));
    header->iat = device_now_s(device);
    TRY(op, next_number(op, device, &header->seq));
    TRY(op, jws_sign(op, header, chain, server_chain(device, cert, chain), key, data, ret),
        "signing data");
    return KW_OK;
}

/* --- verifying -------------------------------------------------------------------------------- */

/* The signer is who the certificate names, it leads to the pinned root, and is not revoked. */
static kw_status check_signer(struct kw_op *op, struct device *device, const struct jws *jws,
                              const struct data_expect *expect, char name[KW_NAME_MAX])
{
    const struct cert *leaf = jws->certs[0];
    struct cert *const *others = &jws->certs[1];
    unsigned n = jws->n_certs - 1;

    ENSURE(op, !cert_is_ca(leaf) && (cert_key_usage(leaf) & CERT_KU_DIGITAL_SIGNATURE), KW_E_AUTH,
           "the signer's certificate is not for signing data");
    TRY(op, dn_get(op, cert_subject(leaf), "CN", name, KW_NAME_MAX), "the signer has no name");
    kw_status status = cert_verify_path(op, leaf, others, n, device->roots, device->n_roots, NULL,
                                        device_now_s(device));
    ENSURE(op, kw_ok(status), KW_E_AUTH, "'%s' is not trusted here", name);
    for (unsigned i = 0; i < n; i++) {
        if (device_issued_by(leaf, others[i])) {
            TRY(op,
                signer_judge(op, device, leaf, others[i], expect->status_age_s,
                             expect->status_grace_s),
                "signer '%s'", name);
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_AUTH, "the issuer of '%s' is not in the chain", name);
}

static kw_status check_header(struct kw_op *op, struct device *device,
                              const struct jws_header *header, const struct data_expect *expect,
                              enum data_refusal *why)
{
    int64_t age = device_now_s(device) - header->iat;
    int64_t max = expect->max_age_s ? expect->max_age_s : AGE_DEFAULT_S;

    *why = DATA_WRONG_TYPE;
    ENSURE(op, strcmp(header->typ, expect->type) == 0, KW_E_DENIED,
           "this is signed as '%s', not as '%s'", header->typ, expect->type);
    *why = DATA_WRONG_AUDIENCE;
    ENSURE(op,
           strcmp(header->aud, device->config.device_id) == 0 || (expect->for_all && !*header->aud),
           KW_E_DENIED, "this is for '%s'", header->aud);
    *why = age > max ? DATA_TOO_OLD : DATA_FROM_THE_FUTURE;
    ENSURE(op, age <= max && age >= -max, KW_E_EXPIRED,
           "signed %lld s ago, %lld are accepted either way", (long long)age, (long long)max);
    return KW_OK;
}

kw_status device_verify_data(struct kw_op *op, struct device *device, struct kw_span text,
                             const struct data_expect *expect, struct data_facts *ret_facts,
                             struct kw_bytes **ret)
{
    struct data_facts facts = {0};
    enum data_refusal *why = &ret_facts->refusal;
    AUTO(jws) *jws = NULL;

    kw_status status = jws_open(op, text, &jws);
    *why = status.code == KW_E_DENIED ? DATA_WRONG_SIGNATURE : DATA_MALFORMED;
    TRY(op, status);
    TRY(op, check_header(op, device, &jws->header, expect, why));
    *why = DATA_NOT_TRUSTED;
    TRY(op, check_signer(op, device, jws, expect, facts.signer));
    *why = DATA_WRONG_SIGNER;
    ENSURE(op, !expect->signer || strcmp(expect->signer, facts.signer) == 0, KW_E_DENIED,
           "signed by '%s', not by '%s'", facts.signer, expect->signer);
    status = guard(op, device, facts.signer, jws->header.seq);
    *why = status.code == KW_E_CONFLICT ? DATA_REPLAYED : DATA_NOT_KEPT;
    TRY(op, status);
    KW_TEXT_SET(facts.key_id, jws->header.kid);
    facts.time_s = jws->header.iat;
    facts.seq = jws->header.seq;
    *ret_facts = facts;
    *ret = TAKE(jws->data);
    return KW_OK;
}
