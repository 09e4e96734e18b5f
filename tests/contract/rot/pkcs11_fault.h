/*
 * A PKCS#11 library for tests (libkw_pkcs11_fault.so): forwards to the real one and misbehaves on
 * command. Two environment variables, read when it is loaded:
 *
 *     KW_P11_REAL   path of the real library
 *     KW_P11_FAULT  path of the control file: a struct p11_fault in shared memory (mmap), so the
 *                   commands may come from the same process or another
 */
#ifndef TESTS_CONTRACT_ROT_PKCS11_FAULT_H
#define TESTS_CONTRACT_ROT_PKCS11_FAULT_H

#include <stdatomic.h>
#include <stdint.h>

#define P11_FAULT_FUNCTIONS(X)                                                                     \
    X(C_Initialize)                                                                                \
    X(C_Finalize)                                                                                  \
    X(C_GetSlotList)                                                                               \
    X(C_GetTokenInfo)                                                                              \
    X(C_GetMechanismList)                                                                          \
    X(C_OpenSession)                                                                               \
    X(C_CloseSession)                                                                              \
    X(C_GetSessionInfo)                                                                            \
    X(C_Login)                                                                                     \
    X(C_FindObjectsInit)                                                                           \
    X(C_FindObjects)                                                                               \
    X(C_FindObjectsFinal)                                                                          \
    X(C_GetAttributeValue)                                                                         \
    X(C_SetAttributeValue)                                                                         \
    X(C_GenerateKeyPair)                                                                           \
    X(C_GenerateKey)                                                                               \
    X(C_DestroyObject)                                                                             \
    X(C_SignInit)                                                                                  \
    X(C_Sign)                                                                                      \
    X(C_EncryptInit)                                                                               \
    X(C_Encrypt)                                                                                   \
    X(C_DecryptInit)                                                                               \
    X(C_Decrypt)

enum p11_fault_function {
#define X(name) P11_FAULT_##name,
    P11_FAULT_FUNCTIONS(X)
#undef X
        P11_FAULT_MAX,
    P11_FAULT_ANY = P11_FAULT_MAX
};

enum p11_fault_action {
    P11_FAULT_NONE,
    P11_FAULT_FAIL,       /* return rv, nothing is done */
    P11_FAULT_FAIL_AFTER, /* do it, then return rv all the same */
    P11_FAULT_HANG,       /* wait for hang_ms, then do it */
    P11_FAULT_LOGOUT,     /* somebody logs the user out, then do it */
    P11_FAULT_SESSIONS,   /* all sessions are closed, then do it */
    P11_FAULT_RESTART,    /* the library forgets that it was initialised, then do it */
    P11_FAULT_SPOIL,      /* C_Sign: do it, and flip a bit of the signature */
};

struct p11_fault {
    /* commands; armed is written last */
    atomic_uint armed;   /* 0: forward only */
    uint32_t function;   /* enum p11_fault_function; ANY: whichever it is */
    uint32_t action;     /* enum p11_fault_action */
    uint32_t first_call; /* counted since arming, 1 is the next one */
    uint32_t n_times;    /* from then on; 0 for ever */
    uint32_t hang_ms;
    uint64_t rv;           /* CK_RV */
    atomic_uint removed;   /* the token is not in its slot */
    atomic_uint exchanged; /* another token, by its serial number, is in its slot */
    uint64_t token_flags;  /* added to what C_GetTokenInfo says */
    /* answers */
    atomic_uint seen;                 /* calls of the function since arming */
    atomic_uint fired;                /* how often it misbehaved */
    atomic_uint calls[P11_FAULT_MAX]; /* since the file was made */
};

#endif
