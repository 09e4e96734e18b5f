/*
 * The PKCS#11 root of trust: keys in a hardware security module or smart card. One session a token;
 * rot.c lets one operation at a time come in.
 */
#include <stdio.h>
#include <stdlib.h>

#include "os/files.h"
#include "rot/pkcs11/device.h"

static void p11_close(void *opaque)
{
    struct p11 *self = opaque;
    unsigned generation = 0;

    if (self->module && kw_ok(p11_module_enter(NULL, self->module, &generation))) {
        if (generation == self->generation) {
            p11_disconnect(self);
        }
        p11_module_leave(self->module);
    }
    if (self->module) {
        p11_module_close(self->module);
    }
    p11_uri_done(&self->uri);
    free(self);
}
KW_OWNED(p11, struct p11, p11_close)

static kw_status first_visit(struct kw_op *op, struct p11 *self, void *ctx)
{
    (void)ctx;
    TRY(op, p11_sweep(op, self), "clearing up behind an interrupted operation");
    return KW_OK;
}

static kw_status open_token(struct kw_op *op, struct p11 *self)
{
    OS_FD_AUTO int locked = -1;

    TRY(op, p11_module_open(op, self->uri.module_path, &self->module));
    self->f = p11_module_functions(self->module);
    TRY(op, p11_lock(op, self, &locked));
    TRY(op, p11_visit(op, self, first_visit, NULL));
    return KW_OK;
}

static kw_status p11_open(struct kw_op *op, const char *params, void **ret_self)
{
    char text[KW_URI_MAX];
    AUTO(p11) *self = calloc(1, sizeof(*self));
    ENSURE(op, self, KW_E_MEMORY);

    (void)snprintf(text, sizeof(text), "pkcs11:%s", params); /* rot.c checked the length */
    TRY(op, p11_uri_parse(op, text, &self->uri));
    self->pin.path = self->uri.pin_path;
    TRY(op, open_token(op, self));
    *ret_self = TAKE(self);
    return KW_OK;
}

static void p11_info(const void *opaque, struct rot_info *ret)
{
    const struct p11 *self = opaque;
    const struct p11_token *token = &self->token;
    bool simulated = strstr(token->manufacturer, "SoftHSM") || strstr(token->model, "SoftHSM");

    *ret = (struct rot_info){.scheme = "pkcs11", .assurance_level = 1};
    ret->caps = ROT_CAP_HARDWARE | ROT_CAP_NO_EXPORT;
    ret->caps |= simulated ? ROT_CAP_SIMULATED : 0;
    ret->caps |= self->can_seal ? ROT_CAP_SEAL : 0;
    ret->caps |= (token->flags & CKF_RNG) != 0 ? ROT_CAP_RANDOM : 0;
    (void)snprintf(ret->vendor, sizeof(ret->vendor), "%.18s %s %u.%u serial %s",
                   token->manufacturer, token->model, token->firmware.major, token->firmware.minor,
                   token->serial);
}

const struct rot_ops rot_pkcs11_ops = {
    .version = ROT_OPS_VERSION,
    .scheme = "pkcs11",
    .doc = "pkcs11:token=LABEL?module-path=LIBRARY&pin-source=file:PATH  PKCS#11 token (RFC 7512)",
    .open = p11_open,
    .close = p11_close,
    .info = p11_info,
    .generate = p11_generate,
    .load = p11_load,
    .key_close = p11_key_close,
    .sign = p11_sign,
    .attributes = p11_attributes,
    .destroy = p11_destroy,
    .forget = rot_no_forget,
    .each = p11_each,
    .seal = p11_seal,
    .unseal = p11_unseal,
    .attest_keys = rot_no_attest_keys,
    .attest_activate = rot_no_attest_activate,
    .attest_certify = rot_no_attest_certify,
    .attest_quote = rot_no_attest_quote,
};
