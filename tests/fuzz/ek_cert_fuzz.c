/* Certificates of endorsement keys, as a TPM's maker left them and a device sends them. */
#include <stdlib.h>

#include "crypto/ek_cert.h"
#include "crypto/ek_issuer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { AT_UNIX = 1790000000 };

static void as_root(struct kw_op *op, struct kw_span der)
{
    char name[192];
    bool self_signed = false;

    (void)ek_root_check(op, der, name, sizeof(name), &self_signed);
}

static void as_its_own_key(struct kw_op *op, struct kw_span der)
{
    (void)ek_cert_is_of(op, der, der);
}

static void below_itself(struct kw_op *op, struct kw_span der)
{
    if (kw_ok(ek_cert_verify(op, der, &der, 1, NULL, 0, AT_UNIX))) { /* nobody is believed */
        abort();
    }
}

static void below_itself_as_root(struct kw_op *op, struct kw_span der)
{
    (void)ek_cert_verify(op, der, NULL, 0, &der, 1, AT_UNIX);
}

static void by_itself(struct kw_op *op, struct kw_span der)
{
    struct ek_issuer issuer;

    (void)ek_issuer_of(op, der, &der, 1, &issuer);
}

static kw_status look(struct kw_op *op, void *ctx, const uint8_t issuer[KW_HASH_BYTES],
                      struct kw_span serial)
{
    (void)op, (void)ctx, (void)issuer;
    if (serial.len == 0 || serial.len > EK_SERIAL_MAX) {
        abort();
    }
    return KW_OK;
}

static void as_crl(struct kw_op *op, struct kw_span der)
{
    struct ek_crl crl = {0};

    if (kw_ok(ek_crl_read(op, der, &der, 1, &crl))) { /* it is no CA's certificate */
        abort();
    }
    kw_op_clear(op);
    (void)ek_crl_each(op, der, &crl, look, NULL);
}

/* Each reads the certificate anew, which takes OpenSSL most of a millisecond here: a fuzzer sends
 * every input one way, by its octets; a replay all ways. */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
enum { ALL_WAYS = false };
#else
enum { ALL_WAYS = true };
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const ways[])(struct kw_op *op, struct kw_span der) = {
        as_root, as_its_own_key, below_itself, below_itself_as_root, by_itself, as_crl};
    uint8_t all = 0;

    for (size_t i = 0; i < size; i++) {
        all ^= data[i];
    }
    for (size_t i = 0; i < KW_COUNT(ways); i++) {
        struct kw_op op;
        kw_op_init(&op, "fuzz", 0);
        if (ALL_WAYS || i == all % KW_COUNT(ways)) {
            ways[i](&op, KW_SPAN(data, size));
        }
    }
    return 0;
}
