/* A parsed certificate from inside, for cert_parse.c and cert_read.c. */
#ifndef CRYPTO_CERT_INTERNAL_H
#define CRYPTO_CERT_INTERNAL_H

#include <stdatomic.h>

#include "crypto/cert_tbs.h"
#include "crypto/san.h"
#include "crypto/signed.h"

enum { CERT_KEYID_MAX = 64 }; /* ours have 20 octets; RFC 5280 sets no limit */

struct cert {
    atomic_uint n_refs;
    struct kw_bytes *der;
    struct signed_der parts; /* into der */
    struct cert_tbs *tbs;    /* NULL where cert_read_tbs() read it */
    struct kw_span serial, issuer, subject;
    struct pubkey *key;
    uint8_t sha256[KW_HASH_BYTES];
    int64_t not_before, not_after;
    unsigned version;
    bool is_ca;
    int path_len;
    unsigned key_usage;
    unsigned ext_present, ext_critical;
    struct kw_out ski, aki;
    uint8_t ski_room[CERT_KEYID_MAX], aki_room[CERT_KEYID_MAX];
    struct text_list eku, san;
    _Atomic(X509 *) x509; /* made when OpenSSL first needs one */
};

/* Empty, with one reference. KW_E_MEMORY. */
kw_status cert_alloc(struct kw_op *op, struct cert **ret);

/**
 * Read a TBSCertificate of the usual form: version 3, a serial number of 16 octets, and extensions
 * as cert_build() writes them for end entities and plain CAs, octet by octet with kw_reader and
 * without OpenSSL's templates (but for the public key). Four times as fast as they are; what it
 * does not know, right or wrong, it leaves to them. *ret stays NULL (and KW_OK is returned) where
 * it is of another form. Errors: KW_E_MEMORY.
 */
kw_status cert_read_tbs(struct kw_op *op, struct kw_span tbs, struct cert **ret);
/* cert_parse_tbs() by OpenSSL's templates alone: the second opinion, for tests as well. */
kw_status cert_parse_tbs_templates(struct kw_op *op, struct kw_span tbs, struct cert **ret);

#endif
