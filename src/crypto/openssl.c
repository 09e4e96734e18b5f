#include "crypto/openssl.h"

#include <malloc.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "base/secret.h"
#include "crypto/privkey.h"
#include "crypto/remote_key.h"

/* What the error queue had to say. */
struct reason {
    const char *text;             /* first telling reason, static; NULL = none */
    enum kw_code refusal;         /* KW_CODE_OK, or the code a remote key's function gave */
    char refused[KW_OP_TEXT_MAX]; /* and its words */
};

/* "EVP lib", "nested asn1 error" and the like only say that a reason stands elsewhere in the queue.
 */
static bool is_telling(unsigned long e)
{
    unsigned long reason = (unsigned long)ERR_GET_REASON(e);

    if (ERR_SYSTEM_ERROR(e)) {
        return true;
    }
    bool is_lib = (reason & ERR_RFLAG_COMMON) != 0 && (reason & ERR_RFLAG_FATAL) == 0 &&
                  (reason & ~(unsigned long)ERR_RFLAG_COMMON) < ERR_LIB_USER;
    return !is_lib && reason != ERR_R_NESTED_ASN1_ERROR && reason != ERR_R_INTERNAL_ERROR;
}

static void drain_queue(struct reason *ret)
{
    const char *data = NULL;
    int flags = 0;
    const char *vague = NULL;

    *ret = (struct reason){0};
    for (;;) {
        unsigned long e = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);
        if (e == 0) {
            break;
        }
        if (ERR_GET_LIB(e) == remote_error_library() && ret->refusal == KW_CODE_OK) {
            ret->refusal = (enum kw_code)ERR_GET_REASON(e);
            (void)snprintf(ret->refused, sizeof(ret->refused), "%s",
                           (flags & ERR_TXT_STRING) != 0 ? data : "");
        }
        const char *text = ERR_reason_error_string(e);
        if (!ret->text && text && is_telling(e)) {
            ret->text = text;
        }
        vague = vague ? vague : text;
    }
    ret->text = ret->text ? ret->text : vague;
}

kw_status crypto_fail(struct kw_op *op, enum kw_code code, const char *file, int line,
                      const char *what)
{
    struct reason reason;

    drain_queue(&reason);
    if (reason.refusal != KW_CODE_OK && op && op->n_frames > 0 && op->code == reason.refusal) {
        return kw_op_context(op, KW_FAIL(reason.refusal), file, line, "%s", what);
    }
    if (reason.refusal != KW_CODE_OK) {
        return kw_op_fail(op, reason.refusal, file, line, "%s: %s", what, reason.refused);
    }
    const char *colon = reason.text ? ": " : "";
    return kw_op_fail(op, code, file, line, "%s%s%s", what, colon, reason.text ? reason.text : "");
}

kw_status crypto_own_fault(struct kw_op *op, const char *what)
{
    const char *data = NULL;
    int flags = 0;
    unsigned long e = ERR_peek_error_all(NULL, NULL, NULL, &data, &flags);

    if (e != 0 && ERR_GET_LIB(e) == remote_error_library()) {
        return FAIL(op, (enum kw_code)ERR_GET_REASON(e), "%s: %s", what,
                    (flags & ERR_TXT_STRING) != 0 ? data : "");
    }
    const char *text = ERR_reason_error_string(e);
    ENSURE(op, !ERR_FATAL_ERROR(e), KW_E_INTERNAL, "%s: %s", what, text ? text : "");
    return KW_OK;
}

static void *plain_malloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(n);
}

static void wiping_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    if (p) {
        kw_wipe(p, malloc_usable_size(p));
        free(p);
    }
}

/* Always moves, since realloc(3) may leave the old octets behind. */
static void *wiping_realloc(void *p, size_t n, const char *file, int line)
{
    size_t old = p ? malloc_usable_size(p) : 0;
    if (p && n > 0 && n <= old) {
        return p;
    }
    void *moved = n > 0 ? malloc(n) : NULL;
    if (n > 0 && !moved) {
        return NULL;
    }
    if (p && moved) {
        memcpy(moved, p, old);
    }
    wiping_free(p, file, line);
    return moved;
}

bool crypto_wipe_freed(void)
{
    return CRYPTO_set_mem_functions(plain_malloc, wiping_realloc, wiping_free) == 1;
}

bool crypto_lock_keys(void)
{
    enum { HEAP_BYTES = 64 << 10, LEAST_BYTES = 32 }; /* some hundred keys; within any lock limit */

    return CRYPTO_secure_malloc_init(HEAP_BYTES, LEAST_BYTES) == 1;
}
