/* The identity for other libraries' connections. */
#include <stdlib.h>

#include "device/device.h"
#include "net/tls_context.h"
#include "os/clock.h"

enum { SIGN_MS = 10000 };

/* OpenSSL has no deadline for us; a TPM may be busy with a key of somebody else's for seconds. */
static kw_status sign_patiently(struct kw_op *op, void *ctx, struct kw_span message, bool pss,
                                struct kw_out *sig)
{
    struct privkey *key = ctx;

    (void)pss; /* device keys are EC */
    op->deadline_ms = os_clock_mono_ms() + SIGN_MS;
    return privkey_sign(op, key, message, sig);
}

static void key_unref(void *ctx)
{
    privkey_unref(ctx);
}

static kw_status patient_key(struct kw_op *op, const struct privkey *key, struct privkey **ret)
{
    AUTO(privkey) *held = privkey_ref(key);

    TRY(op, privkey_remote(op, privkey_public(key), sign_patiently, held, key_unref, ret));
    held = NULL; /* the new key has it */
    return KW_OK;
}

/* Where the judge keeps good answers, and since when time goes: a device of its own, as the context
 * may be used in another thread, and longer. */
static struct device *judging_device(const struct device *device)
{
    struct device *own = calloc(1, sizeof(*own));

    if (own) {
        memcpy(own->dir, device->dir, sizeof(own->dir));
        own->config = device->config;
        own->base_ms = device->base_ms;
        own->base_up_s = device->base_up_s;
    }
    return own;
}

kw_status device_tls_context(struct kw_op *op, struct device *device, const char *host,
                             struct ssl_ctx_st **ret)
{
    AUTO(cert) *own = NULL;
    AUTO(privkey) *key = NULL;
    AUTO(privkey) *patient = NULL;
    struct cert *chain[2];

    TRY(op, server_identity(op, device, DEVICE_LDEVID, &own, &key));
    TRY(op, patient_key(op, key, &patient));
    struct http_client_config config = {
        .roots = device->roots,
        .n_roots = device->n_roots,
        .chain = chain,
        .n_chain = server_chain(device, own, chain),
        .key = patient,
        .judge = server_judge,
        .judge_ctx = judging_device(device),
        .now_s = server_now_s,
    };
    ENSURE(op, config.judge_ctx, KW_E_MEMORY, "TLS context");
    return tls_context_new(op, &config, host, free, ret);
}
