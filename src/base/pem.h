/* PEM text armour (RFC 7468), strict: one label asked for, data between the lines is base64. */
#ifndef BASE_PEM_H
#define BASE_PEM_H

#include "base/bytes.h"

/* Append "-----BEGIN label-----" … "-----END label-----\n", 64 characters a line. */
kw_status kw_pem_encode(const char *label, struct kw_span der, struct kw_bytes *into);
/**
 * Find the next block with this label in *rest, decode it, and move *rest behind it.
 * Text outside blocks and blocks with other labels are passed over; *rest stays where the call
 * fails. Errors: KW_E_NOT_FOUND no further block; KW_E_INPUT damaged block; KW_E_TOO_LARGE.
 */
kw_status kw_pem_next(struct kw_span *rest, const char *label, size_t max, struct kw_bytes **ret);

#endif
