#include "cmd/keywright-keeper/refusals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "keeper/msg.h"
#include "os/files.h"

enum { REPEAT_MS = 1000, MODE = 0600 };

static void open_file(struct refusals *refusals)
{
    struct stat about;

    if (refusals->path[0] == '\0') {
        return;
    }
    refusals->fd =
        open(refusals->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, MODE);
    if (refusals->fd < 0) {
        return;
    }
    refusals->size = fstat(refusals->fd, &about) == 0 ? about.st_size : 0;
}

void refusals_none(struct refusals *refusals, int64_t mono_ms)
{
    *refusals = (struct refusals){.fd = -1, .tokens = REFUSALS_BURST, .filled_mono_ms = mono_ms};
}

void refusals_open(struct refusals *refusals, const char *dir, int64_t mono_ms)
{
    refusals_none(refusals, mono_ms);
    if (kw_ok(os_path_join(NULL, refusals->path, sizeof(refusals->path), dir, "refusals.log"))) {
        open_file(refusals);
    }
}

bool refusals_writable(const struct refusals *refusals)
{
    return refusals->fd >= 0;
}

void refusals_close(struct refusals *refusals)
{
    os_fd_close(&refusals->fd);
}

/* One old file is kept. Where the renaming fails the log just grows on. */
static void rotate(struct refusals *refusals)
{
    char old[KW_PATH_BYTES + 2];

    int n = snprintf(old, sizeof(old), "%s.1", refusals->path);
    if (n < 0 || (size_t)n >= sizeof(old) || rename(refusals->path, old) != 0) {
        return;
    }
    os_fd_close(&refusals->fd);
    open_file(refusals);
}

/* False where the disk does not take it; the file is opened anew next time. */
static bool write_line(struct refusals *refusals, const char *line)
{
    if (refusals->fd < 0) {
        open_file(refusals);
    }
    if (refusals->fd >= 0 && refusals->size >= REFUSALS_FILE_MAX) {
        rotate(refusals);
    }
    if (refusals->fd < 0) {
        return false;
    }
    kw_status status = os_fd_append(NULL, refusals->fd, kw_span_text(line));
    if (!kw_ok(status) && status.code != KW_E_UNSURE) {
        os_fd_close(&refusals->fd);
        return false;
    }
    refusals->size += (int64_t)strlen(line);
    return true;
}

/* A token per line; they grow again with time. */
static bool take_token(struct refusals *refusals, int64_t mono_ms)
{
    int64_t gained = (mono_ms - refusals->filled_mono_ms) * REFUSALS_PER_SECOND / 1000;

    if (gained > 0) {
        int64_t tokens = refusals->tokens + gained;
        refusals->tokens = tokens > REFUSALS_BURST ? REFUSALS_BURST : (unsigned)tokens;
        refusals->filled_mono_ms = mono_ms;
    }
    if (refusals->tokens == 0) {
        return false;
    }
    refusals->tokens--;
    return true;
}

static void emit(struct refusals *refusals, const char *what, uint64_t more, int64_t unix_ms)
{
    char time[KW_TIME_TEXT];
    char suffix[48] = "";
    char line[KW_TIME_TEXT + REFUSALS_LINE_MAX + sizeof(suffix)];

    if (more > 0) {
        /* Room for 20 digits; the line only loses its end otherwise. */
        (void)snprintf(suffix, sizeof(suffix), " (%llu more)", (unsigned long long)more);
    }
    (void)snprintf(line, sizeof(line), "%s %s%s\n", kw_time_text_ms(unix_ms, time), what, suffix);
    if (!write_line(refusals, line)) {
        refusals->unlogged += more > 0 ? more : 1;
    }
}

/* An id stands in a column of its own: what is no plain word is not shown there. */
static const char *word(const char *text)
{
    if (text[0] == '\0') {
        return "-";
    }
    return keeper_key_id_valid(text) ? text : "?";
}

void refusals_tick(struct refusals *refusals, int64_t unix_ms, int64_t mono_ms, bool now)
{
    if (refusals->repeated == 0 || (!now && mono_ms - refusals->last_mono_ms < REPEAT_MS)) {
        return;
    }
    emit(refusals, refusals->last, refusals->repeated, unix_ms);
    refusals->repeated = 0;
    refusals->last_mono_ms = mono_ms;
}

void refusals_note(struct refusals *refusals, const struct refusal *refusal, int64_t unix_ms,
                   int64_t mono_ms)
{
    char what[REFUSALS_LINE_MAX];

    refusals->total++;
    /* The reason, last, loses its end where the line is too long. */
    (void)snprintf(what, sizeof(what), "%s %s %s %s %s", word(refusal->request_id),
                   refusal->message, word(refusal->key_id), kw_code_text(refusal->code),
                   refusal->reason);
    if (strcmp(what, refusals->last) == 0 && mono_ms - refusals->last_mono_ms < REPEAT_MS) {
        refusals->repeated++;
        return;
    }
    refusals_tick(refusals, unix_ms, mono_ms, /* now= */ true);
    if (!take_token(refusals, mono_ms)) {
        refusals->unlogged++;
        return;
    }
    emit(refusals, what, 0, unix_ms);
    memcpy(refusals->last, what, sizeof(what));
    refusals->last_mono_ms = mono_ms;
}
