/* Whole answers: header, body, protection, certificates. */
#include "crypto/cmp_internal.h"
#include "crypto/der.h"
#include "crypto/signed.h"

static const struct kw_span null_name = CMP_OCTETS("\xa4\x02\x30\x00");

static void put_name(struct der_writer *w, struct kw_span name)
{
    if (name.len == 0) {
        der_copy(w, null_name);
        return;
    }
    der_put(w, CMP_TAG(4), name);
}

static void put_octets(struct der_writer *w, uint8_t tag, struct kw_span octets)
{
    if (octets.len > 0) {
        size_t at = der_open(w, tag);
        der_put(w, DER_OCTET_STRING, octets);
        der_close(w, at);
    }
}

/* Never both (RFC 9483 section 4.1.1). */
static void put_general_info(struct der_writer *w, const struct cmp_header *header)
{
    static const struct kw_span implicit_confirm = CMP_IT("\x0d"), wait_time = CMP_IT("\x0e");

    if (!header->implicit_confirm && !header->confirm_by) {
        return;
    }
    size_t at = der_open(w, CMP_TAG(8)), list = der_open(w, DER_SEQUENCE);
    size_t one = der_open(w, DER_SEQUENCE);
    if (header->implicit_confirm) {
        der_put(w, DER_OID, implicit_confirm);
        der_put(w, CMP_NULL_TAG, KW_SPAN(NULL, 0));
    } else {
        der_put(w, DER_OID, wait_time);
        der_put_time(w, header->confirm_by);
    }
    der_close(w, one);
    der_close(w, list);
    der_close(w, at);
}

static void put_header(struct der_writer *w, const struct cmp_header *header,
                       struct kw_span protect_alg)
{
    size_t at = der_open(w, DER_SEQUENCE);

    der_put_int(w, header->pvno);
    put_name(w, header->sender);
    der_copy(w, header->recipient.len > 0 ? header->recipient : null_name);
    size_t time = der_open(w, CMP_TAG(0));
    der_put_time(w, header->now);
    der_close(w, time);
    der_put(w, CMP_TAG(1), protect_alg);
    put_octets(w, CMP_TAG(2), header->sender_kid);
    put_octets(w, CMP_TAG(3), header->recip_kid);
    put_octets(w, CMP_TAG(4), header->transaction_id);
    put_octets(w, CMP_TAG(5), header->sender_nonce);
    put_octets(w, CMP_TAG(6), header->recip_nonce);
    put_general_info(w, header);
    der_close(w, at);
}

static kw_status encode_alg(struct kw_op *op, const struct cmp_protector *protector,
                            struct kw_bytes *into)
{
    AUTO(X509_ALGOR) *algor = NULL;

    if (!protector->key) {
        return kw_bytes_append(into, protector->protect_alg);
    }
    TRY(op, signed_alg_new(op, pubkey_alg(privkey_public(protector->key)), &algor));
    return der_encode(op, ASN1_ITEM_rptr(X509_ALGOR), algor, into);
}

static kw_status protect(struct kw_op *op, const struct cmp_protector *protector,
                         struct kw_span alg, struct kw_span part, struct kw_out *ret)
{
    if (protector->key) {
        return privkey_sign(op, protector->key, part, ret);
    }
    return cmp_compute_mac(op, alg, part, protector->secret, ret);
}

/* The whole message around what was protected. */
static kw_status assemble(struct kw_op *op, struct kw_span part, struct kw_span protection,
                          const struct cmp_protector *protector, struct kw_bytes **ret)
{
    struct kw_reader outer = kw_reader_of(part);
    struct kw_span inside = der_read(&outer, DER_SEQUENCE);
    AUTO(kw_bytes) *der = NULL;

    TRY(op, kw_bytes_new(part.len + 2048, &der));
    struct der_writer w = der_writer_of(der);
    size_t at = der_open(&w, DER_SEQUENCE);
    der_copy(&w, inside);
    size_t field = der_open(&w, CMP_TAG(0));
    der_put_bits(&w, protection);
    der_close(&w, field);
    if (protector->n_extra > 0) {
        field = der_open(&w, CMP_TAG(1));
        size_t list = der_open(&w, DER_SEQUENCE);
        for (unsigned i = 0; i < protector->n_extra; i++) {
            der_copy(&w, protector->extra[i]);
        }
        der_close(&w, list);
        der_close(&w, field);
    }
    der_close(&w, at);
    TRY(op, der_written(&w));
    ENSURE(op, !outer.failed, KW_E_TOO_LARGE, "the answer is too long for one message");
    *ret = TAKE(der);
    return KW_OK;
}

kw_status cmp_build(struct kw_op *op, const struct cmp_header *header, enum cmp_type type,
                    struct kw_span content, const struct cmp_protector *protector,
                    struct kw_bytes **ret)
{
    uint8_t room[KW_SIG_MAX];
    struct kw_out protection = KW_OUT_ARRAY(room);
    AUTO(kw_bytes) *alg = NULL;
    AUTO(kw_bytes) *part = NULL;

    TRY(op, kw_bytes_new(256, &alg));
    TRY(op, encode_alg(op, protector, alg));
    TRY(op, kw_bytes_new(content.len + 1024, &part));
    struct der_writer w = der_writer_of(part);
    size_t at = der_open(&w, DER_SEQUENCE);
    put_header(&w, header, kw_bytes_span(alg));
    der_put(&w, CMP_TAG(type), content);
    der_close(&w, at);
    TRY(op, der_written(&w));
    TRY(op, protect(op, protector, kw_bytes_span(alg), kw_bytes_span(part), &protection),
        "protecting the answer");
    return assemble(op, kw_bytes_span(part), kw_out_span(&protection), protector, ret);
}
