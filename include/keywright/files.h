/* Files for others: signed by this device, then encrypted for one reader. */
#ifndef KEYWRIGHT_FILES_H
#define KEYWRIGHT_FILES_H

#include <keywright/types.h>

KEYWRIGHT_C_BEGIN

/* Octets of one file; larger ones are to be cut up. The library holds some four copies meanwhile.
 */
#define KEYWRIGHT_FILE_MAX 16777216
/* What protecting adds at most. */
#define KEYWRIGHT_PROTECT_OVERHEAD 24576

/**
 * Make a file ready for a way that nobody vouches for (an upload, a memory stick, a mail): CMS
 * SignedData (RFC 5652, ECDSA with the LDevID's key; its chain, the device's time and RFC 5035's
 * reference to the certificate are inside) in AuthEnvelopedData (RFC 5083, AES-256-GCM). The reader
 * needs nothing of ours:
 *
 *     openssl cms -decrypt -binary -inform DER -in FILE -recip CERT -inkey KEY -out signed.der
 *     openssl cms -verify -binary -inform DER -in signed.der -CAfile ROOT -purpose any -out data
 *
 * recipient_pem  the reader's certificate, with those that lead to the root behind it where they
 *                are not the issuers that this device knows; it must be for key agreement (EC) or
 *                key encipherment (RSA), lead to the pinned root, and not be revoked (hard fail)
 * data, len      1 to KEYWRIGHT_FILE_MAX octets
 * cms_len        in room, out length: len + KEYWRIGHT_PROTECT_OVERHEAD suffices
 *
 * Errors  BAD_INPUT no certificate, a size, or too little room; NOT_TRUSTED the reader, or whether
 *         it is revoked cannot be found out; NO_IDENTITY, LOST, UNAVAILABLE root of trust busy
 * Blocks  for the OCSP responder where no good answer is kept, and for the signature
 */
KEYWRIGHT_API enum keywright_result keywright_protect(struct keywright *kw,
                                                      const char *recipient_pem, const void *data,
                                                      size_t len, void *cms, size_t *cms_len);

KEYWRIGHT_C_END

#endif
