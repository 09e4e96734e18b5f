/* See pkcs11_fault.h. */
#include "pkcs11_fault.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static CK_FUNCTION_LIST *real;
static CK_FUNCTION_LIST ours;
static struct p11_fault *control;
static atomic_bool was_removed;

static void close_all(void)
{
    CK_SLOT_ID slots[64];
    CK_ULONG n = 64;
    if (real->C_GetSlotList(CK_TRUE, slots, &n) != CKR_OK) {
        return;
    }
    for (CK_ULONG i = 0; i < n; i++) {
        (void)real->C_CloseAllSessions(slots[i]); /* an empty slot says so */
    }
}

static void wait_ms(unsigned ms)
{
    const struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    (void)nanosleep(&span, NULL); /* an early wake-up is a shorter hang */
}

static void restart(void)
{
    (void)real->C_Finalize(NULL); /* what it says is what the next call says */
}

/* Is it this call's turn? */
static bool fires(enum p11_fault_function function)
{
    if (!atomic_load(&control->armed) ||
        (control->function != (uint32_t)function && control->function != P11_FAULT_ANY)) {
        return false;
    }
    uint32_t call = atomic_fetch_add(&control->seen, 1) + 1;
    bool over = control->n_times > 0 && call >= control->first_call + control->n_times;
    if (call < control->first_call || over) {
        return false;
    }
    atomic_fetch_add(&control->fired, 1);
    return true;
}

static CK_RV removal(enum p11_fault_function function)
{
    bool removed = atomic_load(&control->removed) != 0;
    if (atomic_exchange(&was_removed, removed) != removed && removed) {
        close_all();
    }
    if (!removed || function == P11_FAULT_C_Initialize || function == P11_FAULT_C_Finalize ||
        function == P11_FAULT_C_GetSlotList) {
        return CKR_OK;
    }
    return function == P11_FAULT_C_GetTokenInfo || function == P11_FAULT_C_OpenSession
               ? CKR_TOKEN_NOT_PRESENT
               : CKR_DEVICE_REMOVED;
}

/* What is to be done instead of the call, or before it; *ret_after: what to say behind it. */
static CK_RV before(enum p11_fault_function function, CK_SESSION_HANDLE session,
                    enum p11_fault_action *ret_after)
{
    atomic_fetch_add(&control->calls[function], 1);
    CK_RV rv = removal(function);
    if (rv != CKR_OK || !fires(function)) {
        return rv;
    }
    switch ((enum p11_fault_action)control->action) {
    case P11_FAULT_NONE:
        break;
    case P11_FAULT_FAIL:
        return control->rv;
    case P11_FAULT_FAIL_AFTER:
    case P11_FAULT_SPOIL:
        *ret_after = control->action;
        break;
    case P11_FAULT_HANG:
        wait_ms(control->hang_ms);
        break;
    case P11_FAULT_LOGOUT:
        (void)real->C_Logout(session); /* nobody may be logged in */
        break;
    case P11_FAULT_SESSIONS:
        close_all();
        break;
    case P11_FAULT_RESTART:
        restart();
        break;
    }
    return CKR_OK;
}

/* One function: name, its parameters, its arguments, the session among them. */
#define WRAP(name, params, args, session)                                                          \
    static CK_RV fault_##name params                                                               \
    {                                                                                              \
        enum p11_fault_action after = P11_FAULT_NONE;                                              \
        CK_RV rv = before(P11_FAULT_##name, session, &after);                                      \
        if (rv != CKR_OK) {                                                                        \
            return rv;                                                                             \
        }                                                                                          \
        rv = real->name args;                                                                      \
        return after == P11_FAULT_FAIL_AFTER ? control->rv : rv;                                   \
    }

/* clang-format off */
WRAP(C_Initialize, (void *args), (args), 0)
WRAP(C_Finalize, (void *reserved), (reserved), 0)
WRAP(C_GetMechanismList, (CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *n), (slot, list, n), 0)
WRAP(C_OpenSession, (CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify,
     CK_SESSION_HANDLE *session), (slot, flags, app, notify, session), 0)
WRAP(C_CloseSession, (CK_SESSION_HANDLE s), (s), s)
WRAP(C_GetSessionInfo, (CK_SESSION_HANDLE s, CK_SESSION_INFO *info), (s, info), s)
WRAP(C_Login, (CK_SESSION_HANDLE s, CK_USER_TYPE user, CK_BYTE *pin, CK_ULONG n), (s, user, pin, n), s)
WRAP(C_FindObjectsInit, (CK_SESSION_HANDLE s, CK_ATTRIBUTE *a, CK_ULONG n), (s, a, n), s)
WRAP(C_FindObjects, (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *o, CK_ULONG max, CK_ULONG *n), (s, o, max, n), s)
WRAP(C_FindObjectsFinal, (CK_SESSION_HANDLE s), (s), s)
WRAP(C_GetAttributeValue, (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *a, CK_ULONG n), (s, o, a, n), s)
WRAP(C_SetAttributeValue, (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *a, CK_ULONG n), (s, o, a, n), s)
WRAP(C_GenerateKeyPair, (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *a, CK_ULONG n, CK_ATTRIBUTE *b,
     CK_ULONG k, CK_OBJECT_HANDLE *public, CK_OBJECT_HANDLE *private), (s, m, a, n, b, k, public, private), s)
WRAP(C_GenerateKey, (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *a, CK_ULONG n, CK_OBJECT_HANDLE *o),
     (s, m, a, n, o), s)
WRAP(C_DestroyObject, (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o), (s, o), s)
WRAP(C_SignInit, (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE o), (s, m, o), s)
WRAP(C_EncryptInit, (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE o), (s, m, o), s)
WRAP(C_Encrypt, (CK_SESSION_HANDLE s, CK_BYTE *d, CK_ULONG n, CK_BYTE *e, CK_ULONG *k), (s, d, n, e, k), s)
WRAP(C_DecryptInit, (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE o), (s, m, o), s)
WRAP(C_Decrypt, (CK_SESSION_HANDLE s, CK_BYTE *d, CK_ULONG n, CK_BYTE *e, CK_ULONG *k), (s, d, n, e, k), s)
/* clang-format on */

static CK_RV fault_C_GetSlotList(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *n)
{
    enum p11_fault_action after = P11_FAULT_NONE;
    CK_RV rv = before(P11_FAULT_C_GetSlotList, 0, &after);
    if (rv != CKR_OK) {
        return rv;
    }
    rv = real->C_GetSlotList(present, slots, n);
    if (rv == CKR_OK && atomic_load(&control->removed)) {
        *n = 0;
    }
    return after == P11_FAULT_FAIL_AFTER ? control->rv : rv;
}

static CK_RV fault_C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    enum p11_fault_action after = P11_FAULT_NONE;
    CK_RV rv = before(P11_FAULT_C_GetTokenInfo, 0, &after);
    if (rv != CKR_OK) {
        return rv;
    }
    rv = real->C_GetTokenInfo(slot, info);
    if (rv == CKR_OK && atomic_load(&control->exchanged)) {
        memset(info->serialNumber, '7', sizeof(info->serialNumber));
    }
    info->flags |= control->token_flags;
    return after == P11_FAULT_FAIL_AFTER ? control->rv : rv;
}

static CK_RV fault_C_Sign(CK_SESSION_HANDLE s, CK_BYTE *data, CK_ULONG n, CK_BYTE *sig,
                          CK_ULONG *n_sig)
{
    enum p11_fault_action after = P11_FAULT_NONE;
    CK_RV rv = before(P11_FAULT_C_Sign, s, &after);
    if (rv != CKR_OK) {
        return rv;
    }
    rv = real->C_Sign(s, data, n, sig, n_sig);
    if (rv == CKR_OK && after == P11_FAULT_SPOIL) {
        sig[*n_sig / 2] ^= 0x04;
    }
    return after == P11_FAULT_FAIL_AFTER ? control->rv : rv;
}

static bool map_control(void)
{
    const char *path = getenv("KW_P11_FAULT");
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0 || ftruncate(fd, sizeof(*control)) != 0) {
        return false;
    }
    control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd); /* the mapping stays */
    return control != MAP_FAILED;
}

static bool load_real(void)
{
    const char *path = getenv("KW_P11_REAL");
    CK_C_GetFunctionList get = NULL;
    void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library) {
        *(void **)&get = dlsym(library, "C_GetFunctionList");
    }
    return get && get(&real) == CKR_OK;
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    if (!real && (!map_control() || !load_real())) {
        return CKR_GENERAL_ERROR;
    }
    ours = *real; /* what we do not name is forwarded */
#define X(name) ours.name = fault_##name;
    P11_FAULT_FUNCTIONS(X)
#undef X
    ours.C_GetFunctionList = C_GetFunctionList;
    *list = &ours;
    return CKR_OK;
}
