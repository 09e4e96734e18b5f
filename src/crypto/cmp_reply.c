/* The bodies of answers. */
#include "crypto/alg.h"
#include "crypto/cmp_internal.h"

/* --- status (RFC 9810 section 5.2.3) ------------------------------------------------------------
 */

/* A named bit string without its trailing zeroes: X.690 section 11.2.2. */
static void put_fail(struct der_writer *w, enum cmp_fail fail)
{
    uint8_t bits[1 + (CMP_FAIL_MAX + 7) / 8] = {0};
    unsigned octet = (unsigned)fail / 8, bit = (unsigned)fail % 8;

    bits[0] = (uint8_t)(7 - bit); /* unused ones */
    bits[1 + octet] = (uint8_t)(0x80 >> bit);
    der_put(w, DER_BIT_STRING, KW_SPAN(bits, octet + 2));
}

static void put_status(struct der_writer *w, const struct cmp_status_info *info)
{
    size_t at = der_open(w, DER_SEQUENCE);

    der_put_int(w, info->status);
    if (info->text && *info->text) {
        size_t texts = der_open(w, DER_SEQUENCE);
        der_put(w, DER_UTF8, kw_span_text(info->text));
        der_close(w, texts);
    }
    if (info->fail < CMP_FAIL_MAX) {
        put_fail(w, info->fail);
    }
    der_close(w, at);
}

static kw_status begin(struct kw_op *op, size_t room, struct kw_bytes **ret)
{
    TRY(op, kw_bytes_new(room, ret), "building an answer");
    return KW_OK;
}

/* --- certificates (section 5.3.4) ----------------------------------------------------------------
 */

static void put_ca_pubs(struct der_writer *w, const struct kw_span ca_pubs[], unsigned n)
{
    if (n == 0) {
        return;
    }
    size_t at = der_open(w, CMP_TAG(1)), list = der_open(w, DER_SEQUENCE);
    for (unsigned i = 0; i < n; i++) {
        der_copy(w, ca_pubs[i]);
    }
    der_close(w, list);
    der_close(w, at);
}

kw_status cmp_cert_reply(struct kw_op *op, int64_t request_id, const struct cmp_status_info *info,
                         struct kw_span cert, const struct kw_span ca_pubs[], unsigned n_ca_pubs,
                         struct kw_bytes **ret)
{
    AUTO(kw_bytes) *der = NULL;

    TRY(op, begin(op, cert.len + 512, &der));
    struct der_writer w = der_writer_of(der);
    size_t at = der_open(&w, DER_SEQUENCE);
    put_ca_pubs(&w, ca_pubs, n_ca_pubs);
    size_t list = der_open(&w, DER_SEQUENCE), one = der_open(&w, DER_SEQUENCE);
    der_put_int(&w, request_id);
    put_status(&w, info);
    if (cert.len > 0) { /* CertifiedKeyPair { certOrEncCert certificate [0] } */
        size_t pair = der_open(&w, DER_SEQUENCE);
        der_put(&w, CMP_TAG(0), cert);
        der_close(&w, pair);
    }
    der_close(&w, one);
    der_close(&w, list);
    der_close(&w, at);
    TRY(op, der_written(&w));
    *ret = TAKE(der);
    return KW_OK;
}

/* --- revocation (section 5.3.10) -----------------------------------------------------------------
 */

static void put_cert_id(struct der_writer *w, struct kw_span issuer, struct kw_span serial)
{
    size_t at = der_open(w, CMP_TAG(0)), list = der_open(w, DER_SEQUENCE);
    size_t id = der_open(w, DER_SEQUENCE);

    der_put(w, CMP_TAG(4), issuer);
    der_put_magnitude(w, serial);
    der_close(w, id);
    der_close(w, list);
    der_close(w, at);
}

kw_status cmp_revocation_reply(struct kw_op *op, const struct cmp_status_info *info,
                               struct kw_span issuer, struct kw_span serial, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *der = NULL;

    TRY(op, begin(op, 256 + issuer.len, &der));
    struct der_writer w = der_writer_of(der);
    size_t at = der_open(&w, DER_SEQUENCE), list = der_open(&w, DER_SEQUENCE);
    put_status(&w, info);
    der_close(&w, list);
    if (issuer.len > 0 && serial.len > 0) {
        put_cert_id(&w, issuer, serial);
    }
    der_close(&w, at);
    TRY(op, der_written(&w));
    *ret = TAKE(der);
    return KW_OK;
}

/* --- error, pollRep, pkiconf ---------------------------------------------------------------------
 */

kw_status cmp_error_reply(struct kw_op *op, const struct cmp_status_info *info,
                          struct kw_bytes **ret)
{
    AUTO(kw_bytes) *der = NULL;

    TRY(op, begin(op, 256, &der));
    struct der_writer w = der_writer_of(der);
    size_t at = der_open(&w, DER_SEQUENCE);
    put_status(&w, info);
    der_close(&w, at);
    TRY(op, der_written(&w));
    *ret = TAKE(der);
    return KW_OK;
}

kw_status cmp_poll_reply(struct kw_op *op, int64_t request_id, int64_t check_after_s,
                         struct kw_bytes **ret)
{
    AUTO(kw_bytes) *der = NULL;

    TRY(op, begin(op, 64, &der));
    struct der_writer w = der_writer_of(der);
    size_t list = der_open(&w, DER_SEQUENCE), one = der_open(&w, DER_SEQUENCE);
    der_put_int(&w, request_id);
    der_put_int(&w, check_after_s);
    der_close(&w, one);
    der_close(&w, list);
    TRY(op, der_written(&w));
    *ret = TAKE(der);
    return KW_OK;
}

kw_status cmp_confirm_reply(struct kw_op *op, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *der = NULL;

    TRY(op, begin(op, 8, &der));
    struct der_writer w = der_writer_of(der);
    der_put(&w, CMP_NULL_TAG, KW_SPAN(NULL, 0));
    TRY(op, der_written(&w));
    *ret = TAKE(der);
    return KW_OK;
}
