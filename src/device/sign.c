#include "device/device.h"

/* What this key says in its own name, never in an application's: how receipts of destruction begin,
 * evidence of attestation, and what TLS 1.3 signs in a handshake (RFC 8446 section 4.4.3: 64 spaces
 * first). */
static bool is_reserved(struct kw_span data)
{
    static const char receipt[] = "keywright receipt ";
    static const char spaces[] = "                                                                ";

    return (data.len >= sizeof(DEVICE_ATTEST_PREFIX) &&
            !memcmp(data.p, DEVICE_ATTEST_PREFIX, sizeof(DEVICE_ATTEST_PREFIX))) ||
           (data.len >= sizeof(receipt) - 1 && !memcmp(data.p, receipt, sizeof(receipt) - 1)) ||
           (data.len >= sizeof(spaces) - 1 && !memcmp(data.p, spaces, sizeof(spaces) - 1));
}

kw_status device_sign(struct kw_op *op, struct device *device, struct kw_span data,
                      struct kw_out *sig)
{
    AUTO(cert) *cert = NULL;
    AUTO(privkey) *key = NULL;
    const char *label = NULL;

    ENSURE(op, !is_reserved(data), KW_E_INPUT,
           "data that begins as a receipt, evidence or a TLS handshake is not signed");
    TRY(op, state_read_cert(op, device, DEVICE_LDEVID, &cert));
    TRY(op, keys_find(op, device, cert, &key, &label));
    TRY(op, privkey_sign(op, key, data, sig), "signing with key '%s'", label);
    return KW_OK;
}
