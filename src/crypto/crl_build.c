#include <stdlib.h>

#include "crypto/crl_tbs.h"
#include "crypto/signed.h"

/* clang-format off */
ASN1_SEQUENCE(crl_tbs) = {
    ASN1_OPT(struct crl_tbs, version, ASN1_INTEGER),
    ASN1_SIMPLE(struct crl_tbs, sig_alg, X509_ALGOR),
    ASN1_SIMPLE(struct crl_tbs, issuer, X509_NAME),
    ASN1_SIMPLE(struct crl_tbs, this_update, ASN1_TIME),
    ASN1_OPT(struct crl_tbs, next_update, ASN1_TIME),
    ASN1_OPT(struct crl_tbs, revoked, ASN1_SEQUENCE),
    ASN1_EXP_SEQUENCE_OF_OPT(struct crl_tbs, exts, ext, 0),
} ASN1_SEQUENCE_END_name(struct crl_tbs, crl_tbs);

ASN1_SEQUENCE(crl_item) = {
    ASN1_SIMPLE(struct crl_item, serial, ASN1_INTEGER),
    ASN1_SIMPLE(struct crl_item, date, ASN1_TIME),
    ASN1_SEQUENCE_OF_OPT(struct crl_item, exts, ext),
} ASN1_SEQUENCE_END_name(struct crl_item, crl_item);
/* clang-format on */

void crl_tbs_free(struct crl_tbs *tbs)
{
    ASN1_item_free((ASN1_VALUE *)tbs, ASN1_ITEM_rptr(crl_tbs));
}

void crl_item_free(struct crl_item *item)
{
    ASN1_item_free((ASN1_VALUE *)item, ASN1_ITEM_rptr(crl_item));
}

/* --- all but the entries ---------------------------------------------------------------------- */

static kw_status add_number(struct kw_op *op, STACK_OF(ext) **exts, int nid, bool critical,
                            uint64_t number)
{
    AUTO(ASN1_INTEGER) *value = ASN1_INTEGER_new();

    OSSL_ENSURE(op, value && ASN1_INTEGER_set_uint64(value, number), KW_E_MEMORY, "CRL number");
    return ext_add(op, exts, nid, critical, ASN1_ITEM_rptr(ASN1_INTEGER), value);
}

static kw_status add_scope(struct kw_op *op, const struct crl_spec *spec, STACK_OF(ext) **exts)
{
    AUTO(kw_bytes) *value = NULL;

    if (!spec->scope) {
        return KW_OK;
    }
    TRY(op, kw_bytes_new(64, &value));
    TRY(op, crl_scope_encode(op, spec->scope, value));
    return ext_add_der(op, exts, NID_issuing_distribution_point, /* critical= */ true,
                       kw_bytes_span(value));
}

/* Section 5.2.6: "The freshest CRL extension MUST NOT appear in delta CRLs." */
static kw_status add_delta(struct kw_op *op, const struct crl_spec *spec, STACK_OF(ext) **exts)
{
    AUTO(kw_bytes) *value = NULL;

    ENSURE(op, !spec->delta_url || spec->base_number == 0, KW_E_INPUT, "a delta to a delta");
    if (spec->base_number > 0) {
        return add_number(op, exts, NID_delta_crl, /* critical= */ true, spec->base_number);
    }
    if (!spec->delta_url) {
        return KW_OK;
    }
    TRY(op, kw_bytes_new(64, &value));
    TRY(op, crl_points_encode(op, spec->delta_url, value));
    return ext_add_der(op, exts, NID_freshest_crl, /* critical= */ false, kw_bytes_span(value));
}

static kw_status add_exts(struct kw_op *op, const struct crl_spec *spec, struct crl_tbs *tbs)
{
    TRY(op, ext_add_aki(op, &tbs->exts, spec->issuer_key));
    TRY(op, add_number(op, &tbs->exts, NID_crl_number, /* critical= */ false, spec->number));
    TRY(op, add_scope(op, spec, &tbs->exts), "issuing distribution point");
    return add_delta(op, spec, &tbs->exts);
}

static kw_status set_fields(struct kw_op *op, const struct crl_spec *spec, enum key_alg alg,
                            struct crl_tbs *tbs)
{
    X509_NAME *issuer = NULL;

    tbs->version = ASN1_INTEGER_new();
    tbs->next_update = ASN1_TIME_new();
    OSSL_ENSURE(op, tbs->version && ASN1_INTEGER_set(tbs->version, 1) && tbs->next_update,
                KW_E_MEMORY, "making a revocation list");
    X509_ALGOR_free(tbs->sig_alg);
    tbs->sig_alg = NULL;
    TRY(op, signed_alg_new(op, alg, &tbs->sig_alg));
    TRY(op, der_decode(op, ASN1_ITEM_rptr(X509_NAME), spec->issuer_dn, "issuer name", &issuer));
    X509_NAME_free(tbs->issuer);
    tbs->issuer = issuer;
    TRY(op, der_time_set(op, tbs->this_update, spec->this_update), "thisUpdate");
    TRY(op, der_time_set(op, tbs->next_update, spec->next_update), "nextUpdate");
    return add_exts(op, spec, tbs);
}

/* A list without entries, as DER; they belong between its two parts. */
struct frame {
    struct kw_bytes *der;
    struct kw_span front; /* contents up to nextUpdate */
    struct kw_span back;  /* the extensions */
    struct kw_span alg;
};

static void frame_done(struct frame *frame)
{
    kw_bytes_free(frame->der);
}

/* version, algorithm, issuer, thisUpdate, nextUpdate */
static bool split(struct frame *frame)
{
    struct kw_span rest;
    struct kw_span one;

    if (!der_contents(kw_bytes_span(frame->der), V_ASN1_SEQUENCE, &rest)) {
        return false;
    }
    struct kw_span all = rest;
    for (int i = 0; i < 5; i++) {
        if (!der_take(&rest, &one)) {
            return false;
        }
        frame->alg = i == 1 ? one : frame->alg;
    }
    frame->front = kw_span_sub(all, 0, all.len - rest.len);
    frame->back = rest;
    return true;
}

static kw_status make_frame(struct kw_op *op, const struct crl_spec *spec, struct frame *frame)
{
    AUTO(crl_tbs) *tbs = (struct crl_tbs *)ASN1_item_new(ASN1_ITEM_rptr(crl_tbs));

    OSSL_ENSURE(op, tbs, KW_E_MEMORY, "making a revocation list");
    ENSURE(op, spec->this_update < spec->next_update, KW_E_INPUT, "the list ends before it begins");
    ENSURE(op, spec->base_number < spec->number, KW_E_INPUT, "a delta before its base");
    TRY(op, set_fields(op, spec, pubkey_alg(spec->issuer_key), tbs));
    TRY(op, kw_bytes_new(512, &frame->der));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(crl_tbs), tbs, frame->der));
    ENSURE(op, split(frame), KW_E_INTERNAL, "a revocation list that is none");
    return KW_OK;
}

/* --- the whole, in one room ------------------------------------------------------------------- */

enum { HEADER_MAX = 6, TAIL_MAX = 64 + KW_SIG_MAX };

/* CertificateList: what stands before the entries is as long as their length says, so it is put in
 * front of them once that is known. */
struct assembly {
    struct kw_bytes *room; /* a gap for the heads, entries, back, algorithm, signature */
    size_t gap;
    size_t head_len; /* of the heads, which end where the gap ends */
    struct kw_span tbs;
};

static kw_status put_head(struct assembly *it, struct kw_span head)
{
    it->head_len += head.len;
    for (size_t i = 0; i < head.len; i++) {
        it->room->p[it->gap - it->head_len + i] = head.p[i];
    }
    return KW_OK;
}

static kw_status put_header(struct assembly *it, size_t len)
{
    AUTO(kw_bytes) *header = NULL;

    TRY(NULL, kw_bytes_new(HEADER_MAX, &header));
    TRY(NULL, der_header(header, /* constructed= */ true, len, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL));
    return put_head(it, kw_bytes_span(header));
}

/* Section 5.1.2.6: "When there are no revoked certificates, the revoked certificates list MUST be
 * absent." */
static kw_status close_tbs(struct kw_op *op, const struct frame *frame, struct assembly *it)
{
    size_t entries = it->room->len - it->gap;

    TRY(op, kw_bytes_append(it->room, frame->back));
    if (entries > 0) {
        TRY(op, put_header(it, entries));
    }
    TRY(op, put_head(it, frame->front));
    TRY(op, put_header(it, it->head_len + it->room->len - it->gap));
    it->tbs = KW_SPAN(it->room->p + it->gap - it->head_len, it->head_len + it->room->len - it->gap);
    ENSURE(op, it->tbs.len <= KW_CRL_MAX - TAIL_MAX, KW_E_TOO_LARGE, "the list is over %d octets",
           (int)KW_CRL_MAX);
    return KW_OK;
}

static kw_status sign(struct kw_op *op, const struct frame *frame, const struct privkey *issuer,
                      struct assembly *it)
{
    static const uint8_t no_unused_bits = 0;
    uint8_t room[KW_SIG_MAX];
    struct kw_out signature = KW_OUT_ARRAY(room);

    TRY(op, privkey_sign(op, issuer, it->tbs, &signature), "signing a revocation list");
    TRY(op, kw_bytes_append(it->room, frame->alg));
    TRY(op, der_header(it->room, /* constructed= */ false, signature.len + 1, V_ASN1_BIT_STRING,
                       V_ASN1_UNIVERSAL));
    TRY(op, kw_bytes_append(it->room, KW_SPAN(&no_unused_bits, 1)));
    return kw_bytes_append(it->room, kw_out_span(&signature));
}

static kw_status assemble(struct kw_op *op, const struct crl_spec *spec, const struct frame *frame,
                          const struct privkey *issuer, struct assembly *it)
{
    it->gap = 3 * HEADER_MAX + frame->front.len;
    TRY(op, kw_bytes_new(it->gap + TAIL_MAX + frame->back.len, &it->room));
    it->room->len = it->gap;
    TRY(op, crl_entries_encode(op, spec, it->room), "listing revoked certificates");
    TRY(op, close_tbs(op, frame, it));
    TRY(op, sign(op, frame, issuer, it));
    TRY(op, put_header(it, it->head_len + it->room->len - it->gap));
    size_t from = it->gap - it->head_len;
    it->room->len -= from;
    memmove(it->room->p, it->room->p + from, it->room->len);
    return KW_OK;
}

kw_status crl_build(struct kw_op *op, const struct crl_spec *spec, const struct privkey *issuer,
                    struct kw_bytes **ret)
{
    __attribute__((cleanup(frame_done))) struct frame frame = {0};
    struct assembly it = {0};

    ENSURE(op, pubkey_equal(spec->issuer_key, privkey_public(issuer)), KW_E_INPUT,
           "the list would name another key than the one that signs it");
    TRY(op, make_frame(op, spec, &frame), "building a revocation list");
    kw_status status = assemble(op, spec, &frame, issuer, &it);
    if (!kw_ok(status)) {
        kw_bytes_free(it.room);
        return status;
    }
    *ret = it.room;
    return KW_OK;
}
