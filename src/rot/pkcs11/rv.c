#include "rot/pkcs11/rv.h"

#include "base/bytes.h"

#define PIN_STOP "fix the PIN file; it is tried again once the file changes"

/* clang-format off */
#define ROWS(X)                                                                                    \
    X(CKR_CANCEL,                         UNAVAILABLE, NONE,    "cancelled")                       \
    X(CKR_HOST_MEMORY,                    MEMORY,      SESSION, "no memory left")                  \
    X(CKR_SLOT_ID_INVALID,                UNAVAILABLE, SESSION, "the slot is gone")                \
    X(CKR_GENERAL_ERROR,                  UNAVAILABLE, SESSION, "the library failed")              \
    X(CKR_FUNCTION_FAILED,                UNAVAILABLE, SESSION, "the function failed")             \
    X(CKR_ARGUMENTS_BAD,                  DEVICE,      SESSION, "the library takes no such call")  \
    X(CKR_NEED_TO_CREATE_THREADS,         UNSUPPORTED, NONE,    "it may not make threads here")    \
    X(CKR_CANT_LOCK,                      UNSUPPORTED, NONE,    "it is not made for threads")      \
    X(CKR_ATTRIBUTE_READ_ONLY,            UNSUPPORTED, NONE,    "an attribute is fixed")           \
    X(CKR_ATTRIBUTE_SENSITIVE,            DENIED,      NONE,    "an attribute is secret")          \
    X(CKR_ATTRIBUTE_TYPE_INVALID,         UNSUPPORTED, NONE,    "it has no such attribute")        \
    X(CKR_ATTRIBUTE_VALUE_INVALID,        UNSUPPORTED, NONE,    "it takes no such attribute")      \
    X(CKR_ACTION_PROHIBITED,              DENIED,      NONE,    "the token's policy forbids it")   \
    X(CKR_DATA_INVALID,                   DEVICE,      SESSION, "it does not take the data")       \
    X(CKR_DATA_LEN_RANGE,                 UNSUPPORTED, SESSION, "too long for the token")          \
    X(CKR_DEVICE_ERROR,                   UNAVAILABLE, SESSION, "the token has a fault")           \
    X(CKR_DEVICE_MEMORY,                  FULL,        SESSION, "no room left in the token")       \
    X(CKR_DEVICE_REMOVED,                 UNAVAILABLE, SESSION, "the token was removed")           \
    X(CKR_ENCRYPTED_DATA_INVALID,         INTEGRITY,   NONE,    "altered, or another key's")       \
    X(CKR_ENCRYPTED_DATA_LEN_RANGE,       INTEGRITY,   NONE,    "altered, or another key's")       \
    X(CKR_FUNCTION_CANCELED,              UNAVAILABLE, SESSION, "cancelled")                       \
    X(CKR_FUNCTION_NOT_SUPPORTED,         UNSUPPORTED, NONE,    "it has no such function")         \
    X(CKR_KEY_HANDLE_INVALID,             DEVICE,      HANDLES, "the key is not there any more")   \
    X(CKR_KEY_SIZE_RANGE,                 UNSUPPORTED, NONE,    "it makes no keys of this size")   \
    X(CKR_KEY_TYPE_INCONSISTENT,          INTEGRITY,   HANDLES, "the key is of another type")      \
    X(CKR_KEY_CHANGED,                    INTEGRITY,   HANDLES, "the key was changed")             \
    X(CKR_KEY_FUNCTION_NOT_PERMITTED,     DENIED,      NONE,    "the key may not be used so")      \
    X(CKR_MECHANISM_INVALID,              UNSUPPORTED, NONE,    "it has no such mechanism")        \
    X(CKR_MECHANISM_PARAM_INVALID,        UNSUPPORTED, NONE,    "it takes no such parameters")     \
    X(CKR_OBJECT_HANDLE_INVALID,          DEVICE,      HANDLES, "the object is not there any more")\
    X(CKR_OPERATION_ACTIVE,               UNAVAILABLE, SESSION, "another operation is under way")  \
    X(CKR_OPERATION_NOT_INITIALIZED,      UNAVAILABLE, SESSION, "the operation was forgotten")     \
    X(CKR_PIN_INCORRECT,                  DENIED,      NONE,    "wrong PIN: " PIN_STOP)            \
    X(CKR_PIN_INVALID,                    DENIED,      NONE,    "not a PIN: " PIN_STOP)            \
    X(CKR_PIN_LEN_RANGE,                  DENIED,      NONE,    "no PIN of this length: " PIN_STOP)\
    X(CKR_PIN_EXPIRED,                    DENIED,      NONE,    "set a new PIN with the vendor's tool")\
    X(CKR_PIN_LOCKED,                     DENIED,      NONE,    "PIN locked: the security officer has to reset it")\
    X(CKR_SESSION_CLOSED,                 UNAVAILABLE, SESSION, "the session was closed")          \
    X(CKR_SESSION_COUNT,                  UNAVAILABLE, SESSION, "all sessions are taken")          \
    X(CKR_SESSION_HANDLE_INVALID,         UNAVAILABLE, SESSION, "the session is lost")             \
    X(CKR_SESSION_PARALLEL_NOT_SUPPORTED, DEVICE,      NONE,    "it wants parallel sessions")      \
    X(CKR_SESSION_READ_ONLY,              UNAVAILABLE, SESSION, "the session is for reading only") \
    X(CKR_SESSION_READ_WRITE_SO_EXISTS,   UNAVAILABLE, SESSION, "the security officer is logged in")\
    X(CKR_TEMPLATE_INCOMPLETE,            UNSUPPORTED, NONE,    "it wants more attributes")        \
    X(CKR_TEMPLATE_INCONSISTENT,          UNSUPPORTED, NONE,    "it takes no such attributes")     \
    X(CKR_TOKEN_NOT_PRESENT,              UNAVAILABLE, SESSION, "the token is not there")          \
    X(CKR_TOKEN_NOT_RECOGNIZED,           UNAVAILABLE, SESSION, "the token is not recognised")     \
    X(CKR_TOKEN_WRITE_PROTECTED,          DENIED,      NONE,    "the token is write-protected")    \
    X(CKR_USER_NOT_LOGGED_IN,             UNAVAILABLE, SESSION, "the login was lost")              \
    X(CKR_USER_PIN_NOT_INITIALIZED,       DENIED,      NONE,    "the token has no user PIN yet")   \
    X(CKR_USER_TYPE_INVALID,              DEVICE,      NONE,    "it knows no ordinary user")       \
    X(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, UNAVAILABLE, SESSION, "another user is logged in")       \
    X(CKR_USER_TOO_MANY_TYPES,            UNAVAILABLE, SESSION, "other users are logged in")       \
    X(CKR_RANDOM_NO_RNG,                  UNSUPPORTED, NONE,    "it has no random numbers")        \
    X(CKR_DOMAIN_PARAMS_INVALID,          UNSUPPORTED, NONE,    "it knows no such curve")          \
    X(CKR_CURVE_NOT_SUPPORTED,            UNSUPPORTED, NONE,    "it knows no such curve")          \
    X(CKR_BUFFER_TOO_SMALL,               DEVICE,      SESSION, "its answer is too long")          \
    X(CKR_CRYPTOKI_NOT_INITIALIZED,       UNAVAILABLE, MODULE,  "the library has to start again")  \
    X(CKR_MUTEX_BAD,                      UNAVAILABLE, MODULE,  "the library's locks are broken")  \
    X(CKR_MUTEX_NOT_LOCKED,               UNAVAILABLE, MODULE,  "the library's locks are broken")  \
    X(CKR_FIPS_SELF_TEST_FAILED,          DEVICE,      MODULE,  "its self-test failed")            \
    X(CKR_LIBRARY_LOAD_FAILED,            UNAVAILABLE, MODULE,  "it lacks a library of its own")   \
    X(CKR_PUBLIC_KEY_INVALID,             DEVICE,      NONE,    "the public key makes no sense")   \
    X(CKR_FUNCTION_REJECTED,              DENIED,      NONE,    "the token's policy forbids it")

static const struct p11_rv rows[] = {
#define X(rv, code, heal, text) {rv, #rv, KW_E_##code, P11_HEAL_##heal, text},
    ROWS(X)
#undef X
};
static const char *const texts[] = {
#define X(rv, code, heal, text) #rv ": " text,
    ROWS(X)
#undef X
};
/* clang-format on */

/* A vendor's own code mostly tells of a lost line or a busy device. */
static const struct p11_rv vendors = {CKR_VENDOR_DEFINED, "vendor's code", KW_E_UNAVAILABLE,
                                      P11_HEAL_SESSION, "see the vendor's manual"};
static const struct p11_rv unknown = {CKR_VENDOR_DEFINED, "unknown code", KW_E_DEVICE,
                                      P11_HEAL_SESSION, "no code that the call may return"};

static const struct p11_rv *find(CK_RV rv)
{
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        if (rows[i].rv == rv) {
            return &rows[i];
        }
    }
    return NULL;
}

const struct p11_rv *p11_rv_row(CK_RV rv)
{
    const struct p11_rv *row = find(rv);
    if (row) {
        return row;
    }
    return (rv & CKR_VENDOR_DEFINED) != 0 ? &vendors : &unknown;
}

const char *p11_rv_text(CK_RV rv)
{
    const struct p11_rv *row = find(rv);
    return row ? texts[row - rows] : p11_rv_row(rv)->name;
}

const struct p11_rv *p11_rv_table(unsigned *ret_n)
{
    *ret_n = KW_COUNT(rows);
    return rows;
}
