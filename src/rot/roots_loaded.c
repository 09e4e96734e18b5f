/* For libkeywright: a device with a software key carries no TPM and no PKCS#11 code, and loads none
 * of their libraries. */
#include <dlfcn.h>

#include "rot/ops.h"

static const struct {
    const char *scheme;
    const struct rot_ops *ops; /* NULL: in a module */
    const char *module;        /* found as the loader finds libkeywright itself */
    const char *symbol;
} roots[] = {
    {"soft",   &rot_soft_ops, NULL,                       NULL            },
    {"tpm2",   NULL,          "libkeywright-tpm2.so.1",   "rot_tpm2_ops"  },
    {"pkcs11", NULL,          "libkeywright-pkcs11.so.1", "rot_pkcs11_ops"},
};

/* Never unloaded: keys that were handed on outlive the device, and vendors' libraries may leave
 * threads behind. It fits this library, or the loader refuses it: its symbols have our version. */
static kw_status load(struct kw_op *op, const char *module, const char *symbol,
                      const struct rot_ops **ret)
{
    void *handle = dlopen(module, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    ENSURE(op, handle, KW_E_UNSUPPORTED, "its module cannot be loaded: %.200s", dlerror());
    const struct rot_ops *ops = dlsym(handle, symbol);
    ENSURE(op, ops && ops->version == ROT_OPS_VERSION, KW_E_UNSUPPORTED,
           "module %s is not one of this libkeywright", module);
    *ret = ops;
    return KW_OK;
}

kw_status rot_roots_find(struct kw_op *op, const char *uri, const struct rot_ops **ret)
{
    for (size_t i = 0; i < KW_COUNT(roots); i++) {
        size_t len = strlen(roots[i].scheme);
        if (strncmp(uri, roots[i].scheme, len) == 0 && uri[len] == ':') {
            *ret = roots[i].ops;
            return *ret ? KW_OK : load(op, roots[i].module, roots[i].symbol, ret);
        }
    }
    return FAIL(op, KW_E_UNSUPPORTED, "no root of trust of this kind");
}
