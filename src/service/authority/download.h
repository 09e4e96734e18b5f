/* A certificate as a file: PEM, DER or PKCS#7, alone or with the CAs above it. */
#ifndef SERVICE_AUTHORITY_DOWNLOAD_H
#define SERVICE_AUTHORITY_DOWNLOAD_H

#include "service/service.h"

/* format: "pem", "der", "p7b". chain: the CA that issued it and the root as well (not in DER). ret:
 * the caller's; ret_type: its media type, static. KW_E_INPUT; KW_E_NOT_FOUND it is known from the
 * log alone. */
kw_status download_cert(struct kw_op *op, struct service *service, const struct store_cert *cert,
                        const char *format, bool chain, struct kw_bytes **ret,
                        const char **ret_type);

#endif
