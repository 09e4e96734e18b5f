#include "rot/pkcs11/pin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "os/files.h"

#define NOTE_SUFFIX ".refused"

enum {
    FILE_MAX = P11_PIN_MAX + 2, /* a line end */
    NOTE_ROOM = 128,
};

/* Which file it is, as it is: setting only its time asks for another try, since the token may have
 * got this PIN meanwhile. */
static void describe(const struct stat *file, char text[NOTE_ROOM])
{
    (void)snprintf(text, NOTE_ROOM, "%ju %ju %jd %jd.%09ld\n", (uintmax_t)file->st_dev,
                   (uintmax_t)file->st_ino, (intmax_t)file->st_size, (intmax_t)file->st_mtim.tv_sec,
                   file->st_mtim.tv_nsec); /* fits: 4 * 20 + 15 */
}

static bool was_noted(const struct p11_pin *pin, const char *is)
{
    char path[KW_PATH_BYTES + sizeof(NOTE_SUFFIX)];
    AUTO(kw_bytes) *note = NULL;

    (void)snprintf(path, sizeof(path), "%s" NOTE_SUFFIX, pin->path);
    return kw_ok(os_file_read(NULL, path, NOTE_ROOM, &note)) &&
           kw_span_equal(kw_bytes_span(note), kw_span_text(is));
}

/* Did this process, or one before it, see the file as it is now refused? */
static bool is_refused(const struct p11_pin *pin)
{
    char was[NOTE_ROOM], is[NOTE_ROOM];
    struct stat file;

    if (!pin->path[0] || stat(pin->path, &file) != 0) {
        return false;
    }
    describe(&file, is);
    describe(&pin->file, was);
    return (pin->refused && strcmp(was, is) == 0) || was_noted(pin, is);
}

kw_status p11_pin_check(struct kw_op *op, const struct p11_pin *pin)
{
    ENSURE(op, pin->path[0] || !pin->refused, KW_E_DENIED,
           "the token refused the PIN of its PIN pad; start again to have it asked for once more");
    ENSURE(op, !is_refused(pin), KW_E_DENIED,
           "the token refused the PIN in '%s', which is not tried again before the file changes "
           "(touch it to have it tried)",
           pin->path);
    return KW_OK;
}

void p11_pin_refused(struct p11_pin *pin)
{
    char path[KW_PATH_BYTES + sizeof(NOTE_SUFFIX)], text[NOTE_ROOM];

    pin->refused = true;
    if (pin->path[0]) {
        describe(&pin->file, text);
        (void)snprintf(path, sizeof(path), "%s" NOTE_SUFFIX, pin->path);
        /* Where it cannot be written, this process remembers at least. */
        (void)os_file_write(NULL, path, 0600, kw_span_text(text));
    }
}

void p11_pin_accepted(struct p11_pin *pin)
{
    char path[KW_PATH_BYTES + sizeof(NOTE_SUFFIX)];

    pin->refused = false;
    if (pin->path[0]) {
        (void)snprintf(path, sizeof(path), "%s" NOTE_SUFFIX, pin->path);
        (void)unlink(path); /* mostly there is none; a stale one matches no file */
    }
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
