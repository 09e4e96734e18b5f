#include "crypto/crl_tbs.h"
#include "crypto/signed.h"

KW_OWNED(ASN1_ENUMERATED, ASN1_ENUMERATED, ASN1_ENUMERATED_free)

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

/* Section 5.3.1: "the reason code CRL entry extension SHOULD be absent instead of … unspecified
 * (0)". */
static kw_status reason_exts(struct kw_op *op, int reason, STACK_OF(ext) **ret)
{
    AUTO(ASN1_ENUMERATED) *value = NULL;

    /* 7 is unused; removeFromCRL (8) is for delta lists only. */
    ENSURE(op, reason > 0 && reason <= CRL_REASON_MAX && reason != 7 && reason != 8, KW_E_INPUT,
           "revocation reason %d", reason);
    value = ASN1_ENUMERATED_new();
    OSSL_ENSURE(op, value && ASN1_ENUMERATED_set(value, reason), KW_E_MEMORY, "revocation reason");
    return ext_add(op, ret, NID_crl_reason, /* critical= */ false, ASN1_ITEM_rptr(ASN1_ENUMERATED),
                   value);
}

/* One item is filled anew for each entry; the reasons' extensions are made once each. */
struct encoder {
    struct crl_item *item;
    STACK_OF(ext) *by_reason[CRL_REASON_MAX + 1];
    int64_t date; /* what item->date holds */
};

static void encoder_done(struct encoder *encoder)
{
    if (encoder->item) {
        encoder->item->exts = NULL; /* borrowed from by_reason */
        crl_item_free(encoder->item);
    }
    for (size_t i = 0; i < KW_COUNT(encoder->by_reason); i++) {
        struct crl_item rest = {.exts = encoder->by_reason[i]};
        while (rest.exts && sk_ext_num(rest.exts) > 0) {
            ASN1_item_free((ASN1_VALUE *)sk_ext_pop(rest.exts), ASN1_ITEM_rptr(ext));
        }
        sk_ext_free(rest.exts);
    }
}

static kw_status encode_entry(struct kw_op *op, struct encoder *encoder,
                              const struct crl_entry *entry, struct kw_bytes *into)
{
    int reason = entry->reason;

    ENSURE(op, reason >= 0 && reason <= CRL_REASON_MAX, KW_E_INPUT, "revocation reason %d", reason);
    if (reason != 0 && !encoder->by_reason[reason]) {
        TRY(op, reason_exts(op, reason, &encoder->by_reason[reason]));
    }
    encoder->item->exts = encoder->by_reason[reason];
    TRY(op, der_serial_set(op, encoder->item->serial, entry->serial));
    if (entry->revoked_unix != encoder->date) {
        TRY(op, der_time_set(op, encoder->item->date, entry->revoked_unix), "revocation date");
        encoder->date = entry->revoked_unix;
    }
    return der_encode(op, ASN1_ITEM_rptr(crl_item), encoder->item, into);
}

static kw_status encode_entries(struct kw_op *op, const struct crl_spec *spec,
                                struct encoder *encoder, struct kw_bytes *into)
{
    for (;;) {
        struct crl_entry entry = {0};
        bool more = false;
        TRY(op, spec->next(op, spec->ctx, &entry, &more), "listing revoked certificates");
        if (!more) {
            return KW_OK;
        }
        TRY(op, encode_entry(op, encoder, &entry, into), "encoding a revoked certificate");
        ENSURE(op, into->len < KW_CRL_MAX, KW_E_TOO_LARGE, "the list is over %d octets",
               (int)KW_CRL_MAX);
    }
}

/* Section 5.1.2.6: "When there are no revoked certificates, the revoked certificates list MUST be
 * absent." */
static kw_status set_revoked(struct kw_op *op, const struct crl_spec *spec, struct crl_tbs *tbs)
{
    AUTO(kw_bytes) *entries = NULL;
    AUTO(kw_bytes) *list = NULL;
    struct encoder encoder = {
        .item = (struct crl_item *)ASN1_item_new(ASN1_ITEM_rptr(crl_item)),
        .date = INT64_MIN,
    };

    OSSL_ENSURE(op, encoder.item, KW_E_MEMORY, "making a revocation list");
    kw_status status = kw_bytes_new(4096, &entries);
    if (kw_ok(status)) {
        status = encode_entries(op, spec, &encoder, entries);
    }
    encoder_done(&encoder);
    TRY(op, status);
    if (entries->len == 0) {
        return KW_OK;
    }
    TRY(op, kw_bytes_new(entries->len + 16, &list));
    TRY(op,
        der_header(list, /* constructed= */ true, entries->len, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL));
    TRY(op, kw_bytes_append(list, kw_bytes_span(entries)));
    tbs->revoked = ASN1_STRING_type_new(V_ASN1_SEQUENCE);
    OSSL_ENSURE(op, tbs->revoked && ASN1_STRING_set(tbs->revoked, list->p, (int)list->len),
                KW_E_MEMORY, "making a revocation list");
    return KW_OK;
}

/* Both not critical (sections 5.2.1, 5.2.3). */
static kw_status add_exts(struct kw_op *op, const struct crl_spec *spec, struct crl_tbs *tbs)
{
    AUTO(ASN1_INTEGER) *number = ASN1_INTEGER_new();

    TRY(op, ext_add_aki(op, &tbs->exts, spec->issuer_key));
    OSSL_ENSURE(op, number && ASN1_INTEGER_set_uint64(number, spec->number), KW_E_MEMORY,
                "CRL number");
    return ext_add(op, &tbs->exts, NID_crl_number, /* critical= */ false,
                   ASN1_ITEM_rptr(ASN1_INTEGER), number);
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

static kw_status build_tbs(struct kw_op *op, const struct crl_spec *spec, enum key_alg alg,
                           struct kw_bytes **ret)
{
    AUTO(crl_tbs) *tbs = (struct crl_tbs *)ASN1_item_new(ASN1_ITEM_rptr(crl_tbs));
    AUTO(kw_bytes) *der = NULL;

    OSSL_ENSURE(op, tbs, KW_E_MEMORY, "making a revocation list");
    ENSURE(op, spec->this_update < spec->next_update, KW_E_INPUT, "the list ends before it begins");
    TRY(op, set_fields(op, spec, alg, tbs));
    TRY(op, set_revoked(op, spec, tbs));
    TRY(op, kw_bytes_new(512, &der));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(crl_tbs), tbs, der));
    *ret = TAKE(der);
    return KW_OK;
}

kw_status crl_build(struct kw_op *op, const struct crl_spec *spec, const struct privkey *issuer,
                    struct kw_bytes **ret)
{
    AUTO(kw_bytes) *tbs = NULL;

    ENSURE(op, pubkey_equal(spec->issuer_key, privkey_public(issuer)), KW_E_INPUT,
           "the list would name another key than the one that signs it");
    TRY(op, build_tbs(op, spec, pubkey_alg(spec->issuer_key), &tbs), "building a revocation list");
    TRY(op, signed_build(op, kw_bytes_span(tbs), issuer, ret), "signing a revocation list");
    return KW_OK;
}
