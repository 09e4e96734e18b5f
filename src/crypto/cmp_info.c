/* General messages (RFC 9810 section 5.3.19, RFC 9483 section 4.3). */
#include "crypto/alg.h"
#include "crypto/cmp_internal.h"

static const struct kw_span asked[CMP_INFO_MAX] = {
    [CMP_INFO_CA_CERTS] = CMP_IT("\x11"),      [CMP_INFO_ROOT_UPDATE] = CMP_IT("\x14"),
    [CMP_INFO_CERT_TEMPLATE] = CMP_IT("\x13"), [CMP_INFO_CRL_STATUS] = CMP_IT("\x16"),
    [CMP_INFO_CURRENT_CRL] = CMP_IT("\x06"),
};
/* The two whose answer is of another type than the question. */
static const struct kw_span root_update = CMP_IT("\x12"), crls = CMP_IT("\x17");

enum cmp_info cmp_info_of(struct kw_span oid)
{
    for (unsigned i = 0; i < CMP_INFO_MAX; i++) {
        if (kw_span_equal(asked[i], oid)) {
            return (enum cmp_info)i;
        }
    }
    return CMP_INFO_MAX;
}

static struct kw_span answer_oid(struct kw_span oid)
{
    switch (cmp_info_of(oid)) {
    case CMP_INFO_ROOT_UPDATE:
        return root_update;
    case CMP_INFO_CRL_STATUS:
        return crls;
    default:
        return oid;
    }
}

kw_status cmp_info_reply(struct kw_op *op, struct kw_span oid, struct kw_span value,
                         struct kw_bytes **ret)
{
    AUTO(kw_bytes) *der = NULL;

    TRY(op, kw_bytes_new(value.len + 64, &der));
    struct der_writer w = der_writer_of(der);
    size_t list = der_open(&w, DER_SEQUENCE), one = der_open(&w, DER_SEQUENCE);
    der_put(&w, DER_OID, answer_oid(oid));
    der_copy(&w, value);
    der_close(&w, one);
    der_close(&w, list);
    TRY(op, der_written(&w));
    *ret = TAKE(der);
    return KW_OK;
}

kw_status cmp_list_value(struct kw_op *op, const struct kw_span list[], unsigned n,
                         struct kw_bytes **ret)
{
    AUTO(kw_bytes) *der = NULL;

    TRY(op, kw_bytes_new(1024, &der));
    struct der_writer w = der_writer_of(der);
    size_t at = der_open(&w, DER_SEQUENCE);
    for (unsigned i = 0; i < n; i++) {
        der_copy(&w, list[i]);
    }
    der_close(&w, at);
    TRY(op, der_written(&w));
    *ret = TAKE(der);
    return KW_OK;
}

/* RootCaKeyUpdateContent ::= SEQUENCE { newWithNew CMPCertificate, newWithOld [0] CMPCertificate
 * OPTIONAL, oldWithNew [1] CMPCertificate OPTIONAL } (RFC 9810 section 5.3.19.15); CMPCertificate
 * is a CHOICE, so the tags are explicit. */
kw_status cmp_root_update_value(struct kw_op *op, struct kw_span new_root,
                                struct kw_span new_with_old, struct kw_span old_with_new,
                                struct kw_bytes **ret)
{
    const struct kw_span links[] = {new_with_old, old_with_new};
    AUTO(kw_bytes) *der = NULL;

    TRY(op, kw_bytes_new(4096, &der));
    struct der_writer w = der_writer_of(der);
    size_t at = der_open(&w, DER_SEQUENCE);
    der_copy(&w, new_root);
    for (unsigned i = 0; i < KW_COUNT(links); i++) {
        if (links[i].len > 0) {
            der_put(&w, CMP_TAG(i), links[i]);
        }
    }
    der_close(&w, at);
    TRY(op, der_written(&w));
    *ret = TAKE(der);
    return KW_OK;
}

/* --- certReqTemplate ----------------------------------------------------------------------------
 */

/* regCtrl-algId with the key's AlgorithmIdentifier, or regCtrl-rsaKeyLen (RFC 9810 section
 * 5.3.19.16). */
static const struct {
    enum key_alg alg;
    struct kw_span control, value;
} controls[] = {
    {KEY_ALG_EC_P256,  CMP_REG_CTRL("\x0b"),
     CMP_OCTETS("\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01"
                "\x07")                                                                    },
    {KEY_ALG_EC_P384,  CMP_REG_CTRL("\x0b"),
     CMP_OCTETS("\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22")},
    {KEY_ALG_ED25519,  CMP_REG_CTRL("\x0b"), CMP_OCTETS("\x30\x05\x06\x03\x2b\x65\x70")    },
    {KEY_ALG_RSA_3072, CMP_REG_CTRL("\x0c"), CMP_OCTETS("\x02\x02\x0c\x00")                },
};

static void put_controls(struct der_writer *w, uint32_t key_algs)
{
    size_t at = der_open(w, DER_SEQUENCE);

    for (size_t i = 0; i < KW_COUNT(controls); i++) {
        if (key_algs & KEY_ALG_BIT(controls[i].alg)) {
            size_t one = der_open(w, DER_SEQUENCE);
            der_put(w, DER_OID, controls[i].control);
            der_copy(w, controls[i].value);
            der_close(w, one);
        }
    }
    der_close(w, at);
}

kw_status cmp_template_value(struct kw_op *op, struct kw_span subject, uint32_t key_algs,
                             struct kw_bytes **ret)
{
    AUTO(kw_bytes) *der = NULL;

    TRY(op, kw_bytes_new(subject.len + 256, &der));
    struct der_writer w = der_writer_of(der);
    size_t at = der_open(&w, DER_SEQUENCE), template = der_open(&w, DER_SEQUENCE);
    if (subject.len > 0) {
        der_put(&w, CMP_TAG(5), subject);
    }
    der_close(&w, template);
    put_controls(&w, key_algs);
    der_close(&w, at);
    TRY(op, der_written(&w));
    *ret = TAKE(der);
    return KW_OK;
}

/* --- crlStatusList ------------------------------------------------------------------------------
 */

/* CRLSource ::= CHOICE { dpn [0] DistributionPointName, issuer [1] GeneralNames } */
static void read_source(struct kw_reader *r, struct cmp_crl_status *ret)
{
    bool by_issuer = der_read_is(r, CMP_TAG(1));
    struct kw_reader source = kw_reader_of(der_read(r, by_issuer ? CMP_TAG(1) : CMP_TAG(0)));
    struct kw_reader names = kw_reader_of(der_read(&source, by_issuer ? DER_SEQUENCE : CMP_TAG(0)));

    if (by_issuer) {
        struct kw_reader name = kw_reader_of(der_read(&names, CMP_TAG(4)));
        ret->issuer = der_read_whole(&name, DER_SEQUENCE);
        if (!kw_ok(kw_reader_end(&name))) {
            kw_reader_reject(r);
        }
    } else {
        ret->url = der_read(&names, CMP_TAG_PLAIN(6));
    }
    if (!kw_ok(kw_reader_end(&source)) || !kw_ok(kw_reader_end(&names))) {
        kw_reader_reject(r);
    }
}

kw_status cmp_crl_status_read(struct kw_op *op, struct kw_span value, struct cmp_crl_status *ret)
{
    struct kw_reader one = cmp_read_only(value);
    struct cmp_crl_status it = {0};

    read_source(&one, &it);
    it.has_time = one.rest.len > 0;
    if (it.has_time) {
        it.this_update = cmp_read_time(&one);
    }
    ENSURE(op, kw_ok(kw_reader_end(&one)), KW_E_INPUT, "not exactly one CRLStatus");
    *ret = it;
    return KW_OK;
}
