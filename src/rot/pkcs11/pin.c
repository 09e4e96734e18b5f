#include "rot/pkcs11/pin.h"

#include <errno.h>

#include "os/files.h"

enum { FILE_MAX = P11_PIN_MAX + 2 }; /* a line end */

/* Setting only the file's time asks for another try: the token may have got this PIN meanwhile. */
static bool is_unchanged(const struct p11_pin *pin)
{
    struct stat is;

    return stat(pin->path, &is) == 0 && is.st_dev == pin->file.st_dev &&
           is.st_ino == pin->file.st_ino && is.st_size == pin->file.st_size &&
           is.st_mtim.tv_sec == pin->file.st_mtim.tv_sec &&
           is.st_mtim.tv_nsec == pin->file.st_mtim.tv_nsec;
}

kw_status p11_pin_check(struct kw_op *op, const struct p11_pin *pin)
{
    ENSURE(op, !pin->refused || !is_unchanged(pin), KW_E_DENIED,
           "the token refused the PIN in '%s', which is not tried again before the file changes",
           pin->path);
    return KW_OK;
}

kw_status p11_pin_read(struct kw_op *op, struct p11_pin *pin, struct kw_secret **ret)
{
    AUTO(kw_secret) *secret = NULL;

    TRY(op, p11_pin_check(op, pin));
    /* Before reading: what is written in between counts as a change. */
    ENSURE(op, stat(pin->path, &pin->file) == 0, KW_E_NOT_FOUND, "the PIN file '%s': %s", pin->path,
           strerror(errno));
    TRY(op, os_file_read_secret(op, pin->path, FILE_MAX, &secret), "reading the PIN");
    struct kw_span text = kw_secret_span(secret);
    while (text.len > 0 && (text.p[text.len - 1] == '\n' || text.p[text.len - 1] == '\r')) {
        text.len--;
    }
    ENSURE(op, text.len >= P11_PIN_MIN && text.len <= P11_PIN_MAX, KW_E_INPUT,
           "a PIN has %d to %d octets, what stands in '%s' has not", P11_PIN_MIN, P11_PIN_MAX,
           pin->path);
    kw_secret_trim(secret, text.len);
    pin->refused = false;
    *ret = TAKE(secret);
    return KW_OK;
}
