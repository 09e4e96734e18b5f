#include "rot/ops.h"

static const struct rot_ops *const roots[] = {&rot_soft_ops, &rot_tpm2_ops, &rot_pkcs11_ops};

kw_status rot_roots_find(struct kw_op *op, const char *uri, const struct rot_ops **ret)
{
    for (size_t i = 0; i < KW_COUNT(roots); i++) {
        size_t len = strlen(roots[i]->scheme);
        if (strncmp(uri, roots[i]->scheme, len) == 0 && uri[len] == ':') {
            *ret = roots[i];
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_UNSUPPORTED, "no root of trust of this kind");
}
