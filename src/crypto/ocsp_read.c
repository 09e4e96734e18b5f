/* ResponseData as ocsp_answer_build() writes it, read without OpenSSL; other forms are left to the
 * templates of ocsp_tbs.c. */
#include "crypto/der_read.h"
#include "crypto/ocsp_asn1.h"

enum {
    TAG_BY_KEY = 0xa2,
    TAG_GOOD = 0x80,
    TAG_REVOKED = 0xa1,
    TAG_UNKNOWN = 0x82,
    TAG_REASON = 0xa0,
    TAG_NEXT_UPDATE = 0xa0,
    TAG_EXTENSIONS = 0xa1,
    DER_ENUMERATED = 0x0a,
    SHA1_BYTES = 20,
};

#define OCTETS(text) {(const uint8_t *)(text), sizeof(text) - 1}
static const struct kw_span nonce_oid = OCTETS("\x2b\x06\x01\x05\x05\x07\x30\x01\x02");

const struct ocsp_hash_alg ocsp_hash_algs[OCSP_HASH_ALGS] = {
    {false, false, OCTETS("\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00")                },
    {false, true,  OCTETS("\x30\x07\x06\x05\x2b\x0e\x03\x02\x1a")                        },
    {true,  false, OCTETS("\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00")},
    {true,  true,  OCTETS("\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01")        },
};

static bool read_hash_alg(struct kw_reader *r, struct ocsp_certid *id)
{
    struct kw_span der = der_read_whole(r, DER_SEQUENCE);

    for (size_t i = 0; i < OCSP_HASH_ALGS; i++) {
        if (kw_span_equal(der, ocsp_hash_algs[i].der)) {
            id->sha256 = ocsp_hash_algs[i].sha256;
            id->no_hash_parameters = ocsp_hash_algs[i].no_parameters;
            return true;
        }
    }
    return false;
}

static bool read_hash(struct kw_reader *r, const struct ocsp_certid *id, uint8_t ret[32])
{
    struct kw_span hash = der_read(r, DER_OCTET_STRING);

    if (hash.len != (id->sha256 ? KW_HASH_BYTES : SHA1_BYTES)) {
        return false;
    }
    memcpy(ret, hash.p, hash.len);
    return true;
}

static bool read_certid(struct kw_reader *r, struct ocsp_certid *id)
{
    struct kw_reader in = kw_reader_of(der_read(r, DER_SEQUENCE));
    struct kw_span serial;

    if (!read_hash_alg(&in, id) || !read_hash(&in, id, id->name_hash) ||
        !read_hash(&in, id, id->key_hash) || !der_read_positive(&in, &serial) ||
        serial.len > sizeof(id->serial)) {
        return false;
    }
    memcpy(id->serial, serial.p, serial.len);
    id->serial_len = serial.len;
    return kw_ok(kw_reader_end(&in));
}

/* RFC 5280 section 5.3.1; 7 is unused, removeFromCRL (8) is for lists. */
static bool read_reason(struct kw_reader *r, int *ret)
{
    struct kw_reader in = kw_reader_of(der_read(r, TAG_REASON));
    struct kw_span v = der_read(&in, DER_ENUMERATED);

    *ret = v.len == 1 ? v.p[0] : 0;
    return kw_ok(kw_reader_end(&in)) && *ret > 0 && *ret <= 10 && *ret != 7 && *ret != 8;
}

static bool read_revoked(struct kw_reader *r, struct ocsp_single *single)
{
    struct kw_reader in = kw_reader_of(der_read(r, TAG_REVOKED));

    single->status = OCSP_CERT_REVOKED;
    return der_read_gentime(&in, &single->revoked_unix) &&
           (in.rest.len == 0 || read_reason(&in, &single->reason)) && kw_ok(kw_reader_end(&in));
}

static bool read_state(struct kw_reader *r, struct ocsp_single *single)
{
    if (der_read_is(r, TAG_REVOKED)) {
        return read_revoked(r, single);
    }
    bool good = der_read_is(r, TAG_GOOD);
    single->status = good ? OCSP_CERT_GOOD : OCSP_CERT_UNKNOWN;
    return der_read(r, good ? TAG_GOOD : TAG_UNKNOWN).len == 0 && !r->failed;
}

static bool read_single(struct kw_reader *list, struct ocsp_single *single)
{
    struct kw_reader in = kw_reader_of(der_read(list, DER_SEQUENCE));

    if (!read_certid(&in, &single->id) || !read_state(&in, single) ||
        !der_read_gentime(&in, &single->this_update)) {
        return false;
    }
    struct kw_reader next = kw_reader_of(der_read(&in, TAG_NEXT_UPDATE));
    return der_read_gentime(&next, &single->next_update) && kw_ok(kw_reader_end(&next)) &&
           kw_ok(kw_reader_end(&in));
}

/* Extensions { nonce }, not critical. */
static bool read_nonce(struct kw_reader *r)
{
    struct kw_reader outer = kw_reader_of(der_read(r, TAG_EXTENSIONS));
    struct kw_reader list = kw_reader_of(der_read(&outer, DER_SEQUENCE));
    struct kw_reader one = kw_reader_of(der_read(&list, DER_SEQUENCE));
    bool is_nonce = kw_span_equal(der_read(&one, DER_OID), nonce_oid);
    struct kw_reader value = kw_reader_of(der_read(&one, DER_OCTET_STRING));
    struct kw_span nonce = der_read(&value, DER_OCTET_STRING);

    return is_nonce && kw_ok(kw_reader_end(&outer)) && kw_ok(kw_reader_end(&list)) &&
           kw_ok(kw_reader_end(&one)) && kw_ok(kw_reader_end(&value)) && nonce.len > 0 &&
           nonce.len <= OCSP_NONCE_MAX;
}

static bool read_responder(struct kw_reader *r, uint8_t ret[SHA1_BYTES])
{
    struct kw_reader by_key = kw_reader_of(der_read(r, TAG_BY_KEY));
    struct kw_span hash = der_read(&by_key, DER_OCTET_STRING);

    if (!kw_ok(kw_reader_end(&by_key)) || hash.len != SHA1_BYTES) {
        return false;
    }
    memcpy(ret, hash.p, SHA1_BYTES);
    return true;
}

bool ocsp_tbs_read(struct kw_span der, struct ocsp_tbs *ret)
{
    struct kw_reader whole = kw_reader_of(der);
    struct kw_reader r = kw_reader_of(der_read(&whole, DER_SEQUENCE));

    *ret = (struct ocsp_tbs){0};
    if (!kw_ok(kw_reader_end(&whole)) || !read_responder(&r, ret->responder_key_sha1) ||
        !der_read_gentime(&r, &ret->produced_at)) {
        return false;
    }
    struct kw_reader list = kw_reader_of(der_read(&r, DER_SEQUENCE));
    while (list.rest.len > 0 && ret->n < OCSP_CERTIDS_MAX) {
        if (!read_single(&list, &ret->at[ret->n++])) {
            return false;
        }
    }
    return ret->n > 0 && kw_ok(kw_reader_end(&list)) && (r.rest.len == 0 || read_nonce(&r)) &&
           kw_ok(kw_reader_end(&r));
}
