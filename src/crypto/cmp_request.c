/* The bodies of requests, each with exactly one thing that is asked for (RFC 9483 section 4). */
#include <stdio.h>

#include "base/utf8.h"
#include "crypto/cmp_internal.h"
#include "crypto/signed.h"

enum { CONTROLS_MAX = 16 };

static const struct kw_span old_cert_id = CMP_REG_CTRL("\x05");
static const struct kw_span reason_code = CMP_OCTETS("\x55\x1d\x15");

/* --- CertTemplate (RFC 4211 section 5; its tags are implicit, but those of names) ---------------
 */

static struct kw_span read_named(struct kw_reader *r, uint8_t tag)
{
    struct kw_reader field = kw_reader_of(der_read(r, tag));
    struct kw_span name = der_read_whole(&field, DER_SEQUENCE);

    if (!kw_ok(kw_reader_end(&field))) {
        kw_reader_reject(r);
    }
    return name;
}

/* False where the field is not there. */
static bool pass(struct kw_reader *r, uint8_t tag)
{
    bool there = der_read_is(r, tag);

    if (there) {
        (void)der_read(r, tag);
    }
    return there;
}

void cmp_template_read(struct kw_reader *r, struct cmp_template *ret)
{
    *ret = (struct cmp_template){0};
    (void)pass(r, CMP_TAG_PLAIN(0)); /* version */
    if (der_read_is(r, CMP_TAG_PLAIN(1))) {
        ret->serial = cmp_read_magnitude(r, CMP_TAG_PLAIN(1));
    }
    ret->other |= pass(r, CMP_TAG(2)); /* signingAlg */
    if (der_read_is(r, CMP_TAG(3))) {
        ret->issuer = read_named(r, CMP_TAG(3));
    }
    (void)pass(r, CMP_TAG(4)); /* validity: the profile says */
    if (der_read_is(r, CMP_TAG(5))) {
        ret->subject = read_named(r, CMP_TAG(5));
    }
    if (der_read_is(r, CMP_TAG(6))) {
        ret->key = der_read(r, CMP_TAG(6));
    }
    ret->other |= pass(r, CMP_TAG_PLAIN(7)); /* issuerUID */
    ret->other |= pass(r, CMP_TAG_PLAIN(8)); /* subjectUID */
    (void)pass(r, CMP_TAG(9));               /* extensions: registry and profile say */
}

/* --- ir, cr, kur ------------------------------------------------------------------------------ */

/* An algorithm without a key asks for one to be made (RFC 9483 section 4.1.6). */
static bool is_wish(struct kw_span contents)
{
    struct kw_reader r = kw_reader_of(contents);

    (void)der_read(&r, DER_SEQUENCE);
    return der_read(&r, DER_BIT_STRING).len <= 1;
}

kw_status cmp_cert_request_key(struct kw_op *op, struct cmp_cert_request *request)
{
    AUTO(kw_bytes) *spki = NULL;

    ENSURE(op, !is_wish(request->key_contents), KW_E_INPUT,
           "the request has no public key: keys are not made here");
    TRY(op, kw_bytes_new(request->key_contents.len + 8, &spki));
    struct der_writer w = der_writer_of(spki);
    der_put(&w, DER_SEQUENCE, request->key_contents);
    TRY(op, der_written(&w));
    TRY(op, pubkey_parse(op, kw_bytes_span(spki), &request->key), "the public key");
    return KW_OK;
}

/* CertId ::= SEQUENCE { issuer GeneralName, serialNumber INTEGER } */
static void read_old_id(struct kw_reader *control, struct cmp_cert_request *ret)
{
    struct kw_reader id = kw_reader_of(der_read(control, DER_SEQUENCE));

    ret->old_issuer = read_named(&id, CMP_TAG(4));
    ret->old_serial = cmp_read_magnitude(&id, DER_INTEGER);
    if (!kw_ok(kw_reader_end(&id))) {
        kw_reader_reject(control);
    }
}

static void read_controls(struct kw_reader *r, struct cmp_cert_request *ret)
{
    struct kw_reader controls = kw_reader_of(der_read(r, DER_SEQUENCE));

    for (unsigned i = 0; i < CONTROLS_MAX && controls.rest.len > 0; i++) {
        struct kw_reader one = kw_reader_of(der_read(&controls, DER_SEQUENCE));
        if (kw_span_equal(der_read(&one, DER_OID), old_cert_id)) {
            read_old_id(&one, ret);
        } else {
            (void)cmp_read_any(&one);
        }
        if (!kw_ok(kw_reader_end(&one))) {
            kw_reader_reject(r);
        }
    }
    if (!kw_ok(kw_reader_end(&controls))) {
        kw_reader_reject(r);
    }
}

static void read_request(struct kw_reader *r, struct cmp_template *template,
                         struct cmp_cert_request *ret)
{
    ret->request = der_read_whole(r, DER_SEQUENCE);
    struct kw_reader whole = kw_reader_of(ret->request);
    struct kw_reader request = kw_reader_of(der_read(&whole, DER_SEQUENCE));
    ret->id = cmp_read_int(&request, DER_INTEGER);
    struct kw_reader fields = kw_reader_of(der_read(&request, DER_SEQUENCE));
    cmp_template_read(&fields, template);
    if (der_read_is(&request, DER_SEQUENCE)) {
        read_controls(&request, ret);
    }
    if (!kw_ok(kw_reader_end(&request)) || !kw_ok(kw_reader_end(&fields))) {
        kw_reader_reject(r);
    }
    ret->issuer = template->issuer;
    ret->subject = template->subject;
    ret->key_contents = template->key;
    ret->other_fields = template->other || template->serial.len > 0;
}

/* ProofOfPossession (RFC 4211 section 4). */
static void read_pop(struct kw_reader *r, struct cmp_cert_request *ret)
{
    if (der_read_is(r, CMP_TAG_PLAIN(0))) {
        ret->pop = CMP_POP_RA;
        (void)der_read(r, CMP_TAG_PLAIN(0));
        return;
    }
    if (!der_read_is(r, CMP_TAG(1))) {
        ret->pop = pass(r, CMP_TAG(2)) || pass(r, CMP_TAG(3)) ? CMP_POP_OTHER : CMP_POP_NONE;
        return;
    }
    ret->pop = CMP_POP_SIGNATURE;
    struct kw_reader pop = kw_reader_of(der_read(r, CMP_TAG(1)));
    ret->pop_input = pass(&pop, CMP_TAG(0));
    ret->pop_alg = der_read_whole(&pop, DER_SEQUENCE);
    struct kw_span bits = der_read(&pop, DER_BIT_STRING);
    if (!kw_ok(kw_reader_end(&pop)) || bits.len < 2 || bits.p[0] != 0) {
        kw_reader_reject(r);
    }
    ret->pop_signature = kw_span_sub(bits, 1, bits.len);
}

kw_status cmp_cert_request_read(struct kw_op *op, struct kw_span content,
                                struct cmp_cert_request *ret)
{
    struct kw_reader outer = kw_reader_of(content);
    struct kw_reader list = kw_reader_of(der_read(&outer, DER_SEQUENCE));
    struct cmp_template template = {0};

    *ret = (struct cmp_cert_request){0};
    ret->whole = der_read_whole(&list, DER_SEQUENCE);
    struct kw_reader inner = kw_reader_of(ret->whole);
    struct kw_reader msg = kw_reader_of(der_read(&inner, DER_SEQUENCE));
    read_request(&msg, &template, ret);
    read_pop(&msg, ret);
    (void)pass(&msg, DER_SEQUENCE); /* regInfo */
    ENSURE(op,
           kw_ok(kw_reader_end(&outer)) && kw_ok(kw_reader_end(&list)) &&
               kw_ok(kw_reader_end(&msg)),
           KW_E_INPUT, "not exactly one CertReqMsg");
    return KW_OK;
}

void cmp_cert_request_done(struct cmp_cert_request *request)
{
    pubkey_unref(request->key);
    request->key = NULL;
}

kw_status cmp_pop_verify(struct kw_op *op, const struct cmp_cert_request *request)
{
    ENSURE(op, request->pop == CMP_POP_SIGNATURE && request->key && !request->pop_input,
           KW_E_DENIED, "there is no signature by the key over the request");
    return signed_verify_request(op, request->pop_alg, request->request, request->pop_signature,
                                 request->key);
}

/* --- rr --------------------------------------------------------------------------------------- */

/* crlEntryDetails: of its extensions only the reason counts. */
static void read_reason(struct kw_reader *r, struct cmp_revocation *ret)
{
    struct kw_reader one = kw_reader_of(der_read(r, DER_SEQUENCE));
    struct kw_span oid = der_read(&one, DER_OID);

    (void)pass(&one, DER_BOOLEAN);
    struct kw_reader value = kw_reader_of(der_read(&one, DER_OCTET_STRING));
    if (!kw_ok(kw_reader_end(&one))) {
        kw_reader_reject(r);
    }
    if (!kw_span_equal(oid, reason_code)) {
        return;
    }
    int64_t reason = cmp_read_int(&value, CMP_ENUMERATED_TAG);
    if (!kw_ok(kw_reader_end(&value)) || ret->has_reason || reason < 0 || reason > 10) {
        kw_reader_reject(r);
    }
    ret->has_reason = true;
    ret->reason = (int)reason;
}

kw_status cmp_revocation_read(struct kw_op *op, struct kw_span content, struct cmp_revocation *ret)
{
    struct kw_reader details = cmp_read_only(content);
    struct kw_reader fields = kw_reader_of(der_read(&details, DER_SEQUENCE));
    struct cmp_revocation revocation = {0};
    struct cmp_template template;

    cmp_template_read(&fields, &template);
    if (der_read_is(&details, DER_SEQUENCE)) {
        struct kw_reader exts = kw_reader_of(der_read(&details, DER_SEQUENCE));
        while (exts.rest.len > 0 && !exts.failed) {
            read_reason(&exts, &revocation);
        }
        if (!kw_ok(kw_reader_end(&exts))) {
            kw_reader_reject(&details);
        }
    }
    ENSURE(op, kw_ok(kw_reader_end(&details)) && kw_ok(kw_reader_end(&fields)), KW_E_INPUT,
           "not exactly one RevDetails, or its reason is none");
    revocation.issuer = template.issuer;
    revocation.serial = template.serial;
    *ret = revocation;
    return KW_OK;
}

/* --- certConf, pollReq, genm, error ------------------------------------------------------------
 */

/* RFC 9810 section 5.3.18 */
static bool rejects_all(struct kw_span content)
{
    struct kw_reader outer = kw_reader_of(content);
    struct kw_span list = der_read(&outer, DER_SEQUENCE);

    return kw_ok(kw_reader_end(&outer)) && list.len == 0;
}

kw_status cmp_confirmation_read(struct kw_op *op, struct kw_span content,
                                struct cmp_confirmation *ret)
{
    if (rejects_all(content)) {
        *ret = (struct cmp_confirmation){.none = true, .status = CMP_REJECTION};
        return KW_OK;
    }
    struct kw_reader one = cmp_read_only(content);
    struct cmp_confirmation it = {.hash = der_read(&one, DER_OCTET_STRING)};

    it.id = cmp_read_int(&one, DER_INTEGER);
    if (der_read_is(&one, DER_SEQUENCE)) {
        struct kw_reader info = kw_reader_of(der_read(&one, DER_SEQUENCE));
        it.status = cmp_read_int(&info, DER_INTEGER);
        if (info.failed) {
            kw_reader_reject(&one);
        }
    }
    if (der_read_is(&one, CMP_TAG(0))) {
        it.hash_alg = read_named(&one, CMP_TAG(0));
    }
    ENSURE(op, kw_ok(kw_reader_end(&one)), KW_E_INPUT, "not exactly one CertStatus");
    *ret = it;
    return KW_OK;
}

kw_status cmp_nested_read(struct kw_op *op, struct kw_span content,
                          struct kw_span ret[CMP_NESTED_MAX], unsigned *ret_n)
{
    struct kw_reader all = kw_reader_of(content);
    struct kw_reader list = kw_reader_of(der_read(&all, DER_SEQUENCE));
    struct kw_span at[CMP_NESTED_MAX];
    unsigned n = 0;

    while (list.rest.len > 0 && !list.failed && n < CMP_NESTED_MAX) {
        at[n++] = cmp_read_any(&list);
    }
    ENSURE(op, kw_ok(kw_reader_end(&all)) && !list.failed && n > 0, KW_E_INPUT,
           "no message is nested");
    ENSURE(op, list.rest.len == 0, KW_E_TOO_LARGE, "at most %d messages in one are taken",
           (int)CMP_NESTED_MAX);
    memcpy(ret, at, n * sizeof(*at));
    *ret_n = n;
    return KW_OK;
}

kw_status cmp_poll_read(struct kw_op *op, struct kw_span content, int64_t *ret_id)
{
    struct kw_reader one = cmp_read_only(content);
    int64_t id = cmp_read_int(&one, DER_INTEGER);

    ENSURE(op, kw_ok(kw_reader_end(&one)), KW_E_INPUT, "not exactly one request to ask for");
    *ret_id = id;
    return KW_OK;
}

kw_status cmp_info_read(struct kw_op *op, struct kw_span content, struct kw_span *ret_oid,
                        struct kw_span *ret_value)
{
    struct kw_reader one = cmp_read_only(content);
    struct kw_span oid = der_read(&one, DER_OID), value = {0};

    if (one.rest.len > 0) {
        value = cmp_read_any(&one);
    }
    ENSURE(op, kw_ok(kw_reader_end(&one)), KW_E_INPUT, "not exactly one InfoTypeAndValue");
    *ret_oid = oid;
    *ret_value = value;
    return KW_OK;
}

void cmp_error_text(struct kw_span content, char *text, size_t cap)
{
    struct kw_reader outer = kw_reader_of(content);
    struct kw_reader error = kw_reader_of(der_read(&outer, DER_SEQUENCE));
    struct kw_reader info = kw_reader_of(der_read(&error, DER_SEQUENCE));

    text[0] = '\0';
    (void)cmp_read_int(&info, DER_INTEGER);
    struct kw_reader texts = kw_reader_of(der_read(&info, DER_SEQUENCE));
    struct kw_span first = der_read(&texts, DER_UTF8);
    if (!texts.failed && kw_utf8_is_plain(first)) {
        (void)snprintf(text, cap, "%.*s", (int)(first.len < cap ? first.len : cap - 1),
                       (const char *)first.p);
    }
}
