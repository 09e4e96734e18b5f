#include "rot/pkcs11/module.h"

#include <p11-kit/p11-kit.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "rot/pkcs11/gate.h"
#include "rot/pkcs11/rv.h"

enum { GATE_WAIT_MS = 2000 };

struct p11_module {
    struct p11_module *next;
    char path[KW_PATH_BYTES];
    CK_FUNCTION_LIST *functions;
    struct p11_gate gate; /* many visits, or C_Initialize and C_Finalize alone */
    unsigned refs;        /* guarded by modules_mutex */
    unsigned generation;  /* of C_Initialize; changes only where somebody is alone */
    bool initialised;
    bool is_foreign; /* somebody else in this process initialised it: not ours to finalise */
    pid_t pid;       /* who initialised it: a child has to do that again */
};

static struct p11_module *modules; /* never freed, see the header */
static pthread_mutex_t modules_mutex = PTHREAD_MUTEX_INITIALIZER;

static void unlock_modules(pthread_mutex_t *mutex)
{
    (void)pthread_mutex_unlock(mutex); /* a plain mutex that we hold */
}
KW_OWNED(modules_locked, pthread_mutex_t, unlock_modules)

static void leave_alone(struct p11_module *module)
{
    p11_gate_leave_alone(&module->gate);
}
KW_OWNED(module_alone, struct p11_module, leave_alone)

/* --- loading --- */

/* Its code runs with our keys' handles and PIN: nobody but root and us may have written it. */
static kw_status check_file(struct kw_op *op, const char *path)
{
    struct stat st;
    ENSURE(op, stat(path, &st) == 0 && S_ISREG(st.st_mode), KW_E_NOT_FOUND,
           "no PKCS#11 library at '%s': check module-path", path);
    ENSURE(op, st.st_uid == 0 || st.st_uid == geteuid(), KW_E_DENIED,
           "the PKCS#11 library '%s' belongs to another user", path);
    ENSURE(op, (st.st_mode & S_IWOTH) == 0, KW_E_DENIED,
           "everybody may write the PKCS#11 library '%s': chmod o-w", path);
    return KW_OK;
}

/* A library may leave out what it has not; we need all of these. */
static bool has_functions(const CK_FUNCTION_LIST *f)
{
    return f->C_Initialize && f->C_Finalize && f->C_GetSlotList && f->C_GetTokenInfo &&
           f->C_GetMechanismList && f->C_OpenSession && f->C_CloseSession && f->C_GetSessionInfo &&
           f->C_Login && f->C_FindObjectsInit && f->C_FindObjects && f->C_FindObjectsFinal &&
           f->C_GetAttributeValue && f->C_SetAttributeValue && f->C_GenerateKeyPair &&
           f->C_GenerateKey && f->C_DestroyObject && f->C_SignInit && f->C_Sign &&
           f->C_EncryptInit && f->C_Encrypt && f->C_DecryptInit && f->C_Decrypt;
}

static void module_free(struct p11_module *module)
{
    free(module);
}
KW_OWNED(module, struct p11_module, module_free)

static kw_status load(struct kw_op *op, const char *path, struct p11_module **ret)
{
    AUTO(module) *module = calloc(1, sizeof(*module));
    ENSURE(op, module, KW_E_MEMORY);

    ENSURE(op, KW_TEXT_SET(module->path, path), KW_E_INPUT, "module-path is too long");
    TRY(op, check_file(op, path));
    p11_kit_be_quiet(); /* libraries never print */
    module->functions = p11_kit_module_load(path, P11_KIT_MODULE_UNMANAGED);
    ENSURE(op, module->functions, KW_E_DEVICE, "'%s' is not a PKCS#11 library: %s", path,
           p11_kit_message() ? p11_kit_message() : "no reason given");
    ENSURE(op, has_functions(module->functions), KW_E_UNSUPPORTED,
           "the PKCS#11 library '%s' has not all functions that are needed", path);
    ENSURE(op, p11_gate_init(&module->gate), KW_E_MEMORY);
    *ret = TAKE(module);
    return KW_OK;
}

/* --- C_Initialize and C_Finalize: alone --- */

static kw_status initialise(struct kw_op *op, struct p11_module *module)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

    CK_RV rv = module->functions->C_Initialize(&args);
    module->generation++;
    module->pid = getpid();
    module->is_foreign = rv == CKR_CRYPTOKI_ALREADY_INITIALIZED;
    module->initialised = rv == CKR_OK || module->is_foreign;
    ENSURE(op, module->initialised, KW_E_UNAVAILABLE, "the PKCS#11 library does not start: %s",
           p11_rv_text(rv));
    return KW_OK;
}

static void finalise(struct p11_module *module)
{
    if (module->initialised && !module->is_foreign && module->pid == getpid()) {
        (void)module->functions->C_Finalize(NULL); /* whatever it says, it is initialised anew */
    }
    module->initialised = false;
}

kw_status p11_module_restart(struct kw_op *op, struct p11_module *module, unsigned generation)
{
    AUTO(module_alone) *alone = NULL;

    ENSURE(op, p11_gate_enter_alone(&module->gate, GATE_WAIT_MS), KW_E_UNAVAILABLE,
           "the PKCS#11 library is busy; retry");
    alone = module;
    if (module->initialised && module->pid == getpid() && module->generation != generation) {
        return KW_OK; /* another user of it was faster */
    }
    finalise(module);
    TRY(op, initialise(op, module));
    return KW_OK;
}

/* --- users --- */

static struct p11_module *find(const char *path)
{
    for (struct p11_module *module = modules; module; module = module->next) {
        if (strcmp(module->path, path) == 0) {
            return module;
        }
    }
    return NULL;
}

static kw_status find_or_load(struct kw_op *op, const char *path, struct p11_module **ret)
{
    struct p11_module *module = find(path);
    if (!module) {
        TRY(op, load(op, path, &module));
        module->next = modules;
        modules = module;
    }
    *ret = module;
    return KW_OK;
}

kw_status p11_module_open(struct kw_op *op, const char *path, struct p11_module **ret)
{
    struct p11_module *module = NULL;
    unsigned generation = 0;
    AUTO(modules_locked) *locked = &modules_mutex;

    (void)pthread_mutex_lock(&modules_mutex); /* a plain mutex of ours */
    TRY(op, find_or_load(op, path, &module));
    TRY(op, p11_module_enter(op, module, &generation)); /* starts it where it is not */
    p11_module_leave(module);
    module->refs++;
    *ret = module;
    return KW_OK;
}

void p11_module_close(struct p11_module *module)
{
    AUTO(modules_locked) *locked = &modules_mutex;

    (void)pthread_mutex_lock(&modules_mutex); /* a plain mutex of ours */
    if (--module->refs == 0) {
        finalise(module); /* nobody is inside: every user has left, and none can come */
    }
}

const CK_FUNCTION_LIST *p11_module_functions(const struct p11_module *module)
{
    return module->functions;
}

/* Inside only where the library is ready for this process. */
static kw_status try_enter(struct kw_op *op, struct p11_module *module, bool *ret_inside,
                           unsigned *ret_generation)
{
    ENSURE(op, p11_gate_enter(&module->gate, GATE_WAIT_MS), KW_E_UNAVAILABLE,
           "the PKCS#11 library is being restarted; retry");
    *ret_generation = module->generation;
    *ret_inside = module->initialised && module->pid == getpid();
    if (!*ret_inside) {
        p11_gate_leave(&module->gate);
    }
    return KW_OK;
}

kw_status p11_module_enter(struct kw_op *op, struct p11_module *module, unsigned *ret_generation)
{
    bool inside = false;

    TRY(op, try_enter(op, module, &inside, ret_generation));
    if (!inside) {
        TRY(op, p11_module_restart(op, module, *ret_generation));
        TRY(op, try_enter(op, module, &inside, ret_generation));
    }
    ENSURE(op, inside, KW_E_UNAVAILABLE, "the PKCS#11 library is being restarted; retry");
    return KW_OK;
}

void p11_module_leave(struct p11_module *module)
{
    p11_gate_leave(&module->gate);
}
