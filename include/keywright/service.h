/* Identities of services: programs whose certificate an operator issues, not EST. */
#ifndef KEYWRIGHT_SERVICE_H
#define KEYWRIGHT_SERVICE_H

#include <keywright/types.h>

KEYWRIGHT_C_BEGIN

/**
 * A request for a certificate whose key is made in the root of trust and stays there:
 *
 *     keywright cert issue --profile tls-client --name NAME --csr FILE
 *
 * NAME is the config's device_id. What is in use goes on until the new certificate is installed.
 * The same request until then, however often it is asked for.
 *
 * pem_len  in room, out length with NUL. 4 KiB suffice.
 *
 * Errors  REFUSED this folder is a device's, which enrols and renews by itself, or was wiped;
 *         UNAVAILABLE, STORAGE
 */
KEYWRIGHT_API enum keywright_result keywright_service_request(struct keywright *kw, char *pem,
                                                              size_t *pem_len);
/**
 * Take the certificate that was issued for the last request into use: for its key and our name, and
 * leading to the pinned root. Asks the server for its CAs. The one before stays as "previous".
 * Installing it once more is no failure.
 *
 * Errors  BAD_INPUT no certificate, or nothing was requested; NOT_TRUSTED another's; UNAVAILABLE
 */
KEYWRIGHT_API enum keywright_result keywright_service_install(struct keywright *kw, const char *pem,
                                                              size_t len);

KEYWRIGHT_C_END

#endif
