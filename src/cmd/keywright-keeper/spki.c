/* The key bits of a SubjectPublicKeyInfo: SEQUENCE { AlgorithmIdentifier, BIT STRING }. */
#include "base/reader.h"
#include "cmd/keywright-keeper/keyring.h"
#include "crypto/digest.h"

enum { TAG_SEQUENCE = 0x30, TAG_BIT_STRING = 0x03, SHORT_LENGTH_MAX = 0x7f };

/* One DER element with this tag; lengths below 65536, minimal. */
static struct kw_span take_element(struct kw_reader *r, uint8_t tag)
{
    if (kw_reader_u8(r) != tag) {
        kw_reader_reject(r);
    }
    size_t len = kw_reader_u8(r);
    size_t least = 0;
    if (len == 0x81) {
        len = kw_reader_u8(r);
        least = SHORT_LENGTH_MAX + 1;
    } else if (len == 0x82) {
        len = kw_reader_u16(r);
        least = 0x100;
    } else if (len > SHORT_LENGTH_MAX) {
        kw_reader_reject(r);
    }
    if (len < least) {
        kw_reader_reject(r);
    }
    return kw_reader_take(r, r->failed ? 0 : len);
}

kw_status spki_bits_sha256(struct kw_span spki, uint8_t ret[KW_HASH_BYTES])
{
    struct kw_reader outer = kw_reader_of(spki);
    struct kw_reader inner = kw_reader_of(take_element(&outer, TAG_SEQUENCE));
    TRY(NULL, kw_reader_end(&outer));
    (void)take_element(&inner, TAG_SEQUENCE); /* the algorithm; failures stay in inner */
    struct kw_reader bits = kw_reader_of(take_element(&inner, TAG_BIT_STRING));
    TRY(NULL, kw_reader_end(&inner));
    if (kw_reader_u8(&bits) != 0) { /* unused bits: keys are whole octets */
        kw_reader_reject(&bits);
    }
    struct kw_span key = kw_reader_take(&bits, bits.rest.len);
    TRY(NULL, kw_reader_end(&bits));
    digest_sha256(key, ret);
    return KW_OK;
}
