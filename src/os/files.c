#include "os/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "os/clock.h"
#include "os/rng.h"

enum { LOCK_STEP_MS = 2 };

void os_fd_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd); /* what must be durable was fsynced before */
        *fd = -1;
    }
}

static enum kw_code code_of_errno(int error)
{
    static const struct {
        int error;
        enum kw_code code;
    } known[] = {
        {ENOENT,  KW_E_NOT_FOUND},
        {ENOTDIR, KW_E_NOT_FOUND},
        {ENOSPC,  KW_E_FULL     },
        {EDQUOT,  KW_E_FULL     },
        {EFBIG,   KW_E_FULL     }, /* RLIMIT_FSIZE */
        {ENOMEM,  KW_E_MEMORY   },
    };

    for (size_t i = 0; i < KW_COUNT(known); i++) {
        if (known[i].error == error) {
            return known[i].code;
        }
    }
    return KW_E_IO;
}

/* Only directly behind the call that set errno. */
static kw_status fail_errno(struct kw_op *op, const char *what, const char *path)
{
    int error = errno;

    return FAIL(op, code_of_errno(error), "cannot %s '%s': %s", what, path, strerror(error));
}

kw_status os_path_join(struct kw_op *op, char *path, size_t cap, const char *dir, const char *name)
{
    size_t n_dir = strlen(dir);
    const char *slash = n_dir > 0 && dir[n_dir - 1] == '/' ? "" : "/";
    int n = snprintf(path, cap, "%s%s%s", dir, slash, name);

    if (n < 0 || (size_t)n >= cap) {
        if (cap > 0) {
            path[0] = '\0';
        }
        return FAIL(op, KW_E_TOO_LARGE, "the path of '%s' is over %zu octets", name, cap);
    }
    return KW_OK;
}

static kw_status make_one_dir(struct kw_op *op, const char *path, mode_t mode)
{
    struct stat st;

    if (mkdir(path, mode) == 0) {
        return KW_OK;
    }
    int error = errno;
    if (error == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return KW_OK;
    }
    errno = error;
    return fail_errno(op, "make folder", path);
}

kw_status os_dir_make(struct kw_op *op, const char *path, mode_t mode)
{
    char part[KW_PATH_BYTES];

    ENSURE(op, path[0] != '\0', KW_E_INPUT, "a folder without a name");
    ENSURE(op, KW_TEXT_SET(part, path), KW_E_TOO_LARGE, "the path of folder '%s' is too long",
           path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        TRY(op, make_one_dir(op, part, mode));
        *slash = '/';
    }
    return make_one_dir(op, part, mode);
}

/* Open for reading; anything but a regular file is refused without waiting for it (fifo, device).
 */
static kw_status open_regular(struct kw_op *op, const char *path, int *ret_fd, struct stat *st)
{
    OS_FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fstat(fd, st) != 0) {
        return fail_errno(op, "open", path);
    }
    ENSURE(op, S_ISREG(st->st_mode), KW_E_IO, "'%s' is no regular file", path);
    *ret_fd = fd;
    fd = -1;
    return KW_OK;
}

/* Read until the end or until the room is full. */
static kw_status read_all(struct kw_op *op, int fd, const char *path, struct kw_out *into)
{
    while (into->len < into->cap) {
        ssize_t n = read(fd, into->p + into->len, into->cap - into->len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail_errno(op, "read", path);
        }
        if (n == 0) {
            break;
        }
        into->len += (size_t)n;
    }
    return KW_OK;
}

static kw_status check_size(struct kw_op *op, const char *path, off_t size, size_t max)
{
    ENSURE(op, size >= 0 && (uintmax_t)size <= max, KW_E_TOO_LARGE,
           "'%s' has %jd octets, at most %zu are read", path, (intmax_t)size, max);
    return KW_OK;
}

kw_status os_file_read(struct kw_op *op, const char *path, size_t max, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *bytes = NULL;
    OS_FD_AUTO int fd = -1;
    struct stat st;

    TRY(op, open_regular(op, path, &fd, &st));
    TRY(op, check_size(op, path, st.st_size, max));
    /* One octet more shows whether it grew; files of /proc say size 0 and are read nevertheless. */
    size_t room = st.st_size > 0 ? (size_t)st.st_size + 1 : (max < 4096 ? max : 4096) + 1;
    TRY(op, kw_bytes_new(room, &bytes), "room for '%s'", path);
    struct kw_out into = {bytes->p, room, 0};
    TRY(op, read_all(op, fd, path, &into));
    ENSURE(op, into.len < room && into.len <= max, KW_E_TOO_LARGE,
           "'%s' has more octets than it said, or over %zu", path, max);
    bytes->len = into.len;
    *ret = TAKE(bytes);
    return KW_OK;
}

kw_status os_file_read_secret(struct kw_op *op, const char *path, size_t max,
                              struct kw_secret **ret)
{
    AUTO(kw_secret) *secret = NULL;
    OS_FD_AUTO int fd = -1;
    struct stat st;

    TRY(op, open_regular(op, path, &fd, &st));
    ENSURE(op, (st.st_mode & (S_IRWXG | S_IRWXO)) == 0, KW_E_DENIED,
           "'%s' may be used by others (mode %04o); it must be 0600 or stricter", path,
           (unsigned)st.st_mode & 07777);
    ENSURE(op, st.st_uid == geteuid() || geteuid() == 0, KW_E_DENIED, "'%s' belongs to user %u",
           path, (unsigned)st.st_uid);
    TRY(op, check_size(op, path, st.st_size, max));
    TRY(op, kw_secret_new((size_t)st.st_size, &secret), "room for '%s'", path);
    struct kw_out into = {kw_secret_data(secret), kw_secret_len(secret), 0};
    TRY(op, read_all(op, fd, path, &into));
    ENSURE(op, into.len == into.cap, KW_E_IO, "'%s' shrank while it was read", path);
    *ret = TAKE(secret);
    return KW_OK;
}

static kw_status write_all(struct kw_op *op, int fd, const char *path, struct kw_span content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.p, content.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail_errno(op, "write", path);
        }
        content = kw_span_sub(content, (size_t)n, content.len);
    }
    return KW_OK;
}

static kw_status sync_fd(struct kw_op *op, int fd, const char *path)
{
    return fsync(fd) == 0 ? KW_OK : fail_errno(op, "sync", path);
}

/* The folder of a path: "/a/b" -> "/a", "b" -> ".". */
static kw_status sync_dir_of(struct kw_op *op, const char *path)
{
    char dir[KW_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;

    ENSURE(op, n < sizeof(dir), KW_E_TOO_LARGE, "the path of '%s' is too long", path);
    (void)snprintf(dir, sizeof(dir), "%.*s", (int)n, path); /* fits, see above */
    const char *name = n > 0 ? dir : slash ? "/" : ".";
    OS_FD_AUTO int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return fail_errno(op, "open folder", name);
    }
    return sync_fd(op, fd, name);
}

/* A name beside the file that nobody else uses; a leading dot hides it from os_dir_each(). */
static kw_status temporary_name(struct kw_op *op, const char *path, char *temporary, size_t cap)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    uint8_t octets[8];
    char unique[2 * sizeof(octets) + 1];

    TRY(op, os_random(op, octets, sizeof(octets)));
    (void)kw_hex(KW_SPAN_ARRAY(octets), unique, sizeof(unique));
    int n = snprintf(temporary, cap, "%.*s.%s.%s.tmp", (int)(base - path), path, base, unique);
    ENSURE(op, n > 0 && (size_t)n < cap, KW_E_TOO_LARGE, "the path of '%s' is too long", path);
    return KW_OK;
}

static kw_status fill_new_file(struct kw_op *op, const char *path, mode_t mode,
                               struct kw_span content)
{
    OS_FD_AUTO int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        return fail_errno(op, "create", path);
    }
    TRY(op, write_all(op, fd, path, content));
    if (fchmod(fd, mode) != 0) { /* the umask must not have its say */
        return fail_errno(op, "set the mode of", path);
    }
    return sync_fd(op, fd, path);
}

static kw_status replace_by(struct kw_op *op, const char *temporary, const char *path)
{
    if (rename(temporary, path) != 0) {
        return fail_errno(op, "replace", path);
    }
    return KW_OK;
}

kw_status os_file_write(struct kw_op *op, const char *path, mode_t mode, struct kw_span content)
{
    char temporary[KW_PATH_BYTES + 32];

    TRY(op, temporary_name(op, path, temporary, sizeof(temporary)));
    kw_status status = fill_new_file(op, temporary, mode, content);
    if (kw_ok(status)) {
        status = replace_by(op, temporary, path);
    }
    if (!kw_ok(status)) {
        (void)unlink(temporary); /* may not exist; the failure before is the one to tell */
        return kw_op_context(op, status, KW_HERE_FILE, KW_HERE_LINE, "writing '%s'", path);
    }
    kw_status synced = sync_dir_of(op, path);
    if (!kw_ok(synced)) {
        return FAIL(op, KW_E_UNSURE, "'%s' is written, but may be the old one after a power cut",
                    path);
    }
    return KW_OK;
}

kw_status os_fd_append(struct kw_op *op, int fd, struct kw_span record)
{
    struct stat before;

    if (fstat(fd, &before) != 0) {
        return fail_errno(op, "look at", "the append-only file");
    }
    kw_status status = write_all(op, fd, "the append-only file", record);
    if (!kw_ok(status)) {
        /* Half a record would be read as damage later. Devices cannot be cut, and hold nothing. */
        if (S_ISREG(before.st_mode) && ftruncate(fd, before.st_size) != 0) {
            return FAIL(op, KW_E_UNSURE, "a half-written record could not be taken back: %s",
                        strerror(errno));
        }
        return status;
    }
    if (fdatasync(fd) != 0) {
        return FAIL(op, KW_E_UNSURE, "a record is written, but perhaps not durable: %s",
                    strerror(errno));
    }
    return KW_OK;
}

static kw_status overwrite(struct kw_op *op, int fd, const char *path)
{
    static const uint8_t zeroes[1024];
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return fail_errno(op, "look at", path);
    }
    ENSURE(op, S_ISREG(st.st_mode), KW_E_IO, "'%s' is no regular file", path);
    for (off_t left = st.st_size; left > 0;) {
        size_t n = left < (off_t)sizeof(zeroes) ? (size_t)left : sizeof(zeroes);
        TRY(op, write_all(op, fd, path, KW_SPAN(zeroes, n)));
        left -= (off_t)n;
    }
    return sync_fd(op, fd, path);
}

kw_status os_file_remove(struct kw_op *op, const char *path)
{
    if (unlink(path) != 0) {
        return errno == ENOENT ? KW_OK : fail_errno(op, "remove", path);
    }
    return sync_dir_of(op, path);
}

kw_status os_file_shred(struct kw_op *op, const char *path)
{
    OS_FD_AUTO int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT) {
        return KW_OK;
    }
    if (fd < 0) {
        return fail_errno(op, "open", path);
    }
    TRY(op, overwrite(op, fd, path), "overwriting '%s'", path);
    return os_file_remove(op, path);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

kw_status os_tree_remove(struct kw_op *op, const char *dir)
{
    enum { OPEN_FOLDERS = 16 };

    if (nftw(dir, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT) {
        return fail_errno(op, "remove", dir);
    }
    return KW_OK;
}

bool os_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* Names of a folder, sorted; all owned. */
struct names {
    char **at;
    size_t n;
    size_t cap;
};

static void names_done(struct names *names)
{
    for (size_t i = 0; i < names->n; i++) {
        free(names->at[i]);
    }
    free(names->at);
}

static kw_status names_add(struct kw_op *op, struct names *names, const char *name)
{
    ENSURE(op, names->n < KW_DIR_ENTRIES_MAX, KW_E_TOO_LARGE, "over %d files in one folder",
           KW_DIR_ENTRIES_MAX);
    if (names->n == names->cap) {
        size_t cap = names->cap == 0 ? 64 : 2 * names->cap;
        char **at = reallocarray(names->at, cap, sizeof(*at));
        ENSURE(op, at, KW_E_MEMORY, "room for %zu names", cap);
        names->at = at;
        names->cap = cap;
    }
    names->at[names->n] = strdup(name);
    ENSURE(op, names->at[names->n], KW_E_MEMORY, "room for a name");
    names->n++;
    return KW_OK;
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t n_name = strlen(name);
    size_t n_suffix = strlen(suffix);

    return n_name >= n_suffix && strcmp(name + n_name - n_suffix, suffix) == 0;
}

static void close_dir(DIR **dir)
{
    if (*dir) {
        (void)closedir(*dir); /* only reads were made */
    }
}

static kw_status names_read(struct kw_op *op, const char *path, const char *suffix,
                            struct names *names)
{
    __attribute__((cleanup(close_dir))) DIR *dir = opendir(path);
    struct dirent *entry = NULL;
    struct stat st;

    if (!dir) {
        return fail_errno(op, "open folder", path);
    }
    while ((errno = 0, entry = readdir(dir)) != NULL) {
        bool hidden = entry->d_name[0] == '.'; /* temporary files of os_file_write() among them */
        if (hidden || !has_suffix(entry->d_name, suffix) ||
            fstatat(dirfd(dir), entry->d_name, &st, 0) != 0 || !S_ISREG(st.st_mode)) {
            continue;
        }
        TRY(op, names_add(op, names, entry->d_name), "folder '%s'", path);
    }
    return errno == 0 ? KW_OK : fail_errno(op, "list folder", path);
}

kw_status os_dir_clear_temporaries(struct kw_op *op, const char *path)
{
    __attribute__((cleanup(close_dir))) DIR *dir = opendir(path);
    struct dirent *entry = NULL;

    if (!dir) {
        return fail_errno(op, "open folder", path);
    }
    while ((errno = 0, entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.' && has_suffix(entry->d_name, ".tmp") &&
            unlinkat(dirfd(dir), entry->d_name, 0) != 0 && errno != ENOENT) {
            return fail_errno(op, "remove", entry->d_name);
        }
    }
    return errno == 0 ? KW_OK : fail_errno(op, "list folder", path);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

kw_status os_dir_each(struct kw_op *op, const char *path, const char *suffix,
                      kw_status (*each)(struct kw_op *op, const char *name, void *ctx), void *ctx)
{
    __attribute__((cleanup(names_done))) struct names names = {0};

    TRY(op, names_read(op, path, suffix, &names));
    if (names.n > 1) {
        qsort(names.at, names.n, sizeof(names.at[0]), compare_names);
    }
    for (size_t i = 0; i < names.n; i++) {
        TRY(op, each(op, names.at[i], ctx), "file '%s' of '%s'", names.at[i], path);
    }
    return KW_OK;
}

bool os_fd_lock(int fd, int64_t until_ms)
{
    const struct timespec step = {.tv_nsec = LOCK_STEP_MS * 1000000L};

    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || os_clock_mono_ms() >= until_ms) {
            return false;
        }
        (void)nanosleep(&step, NULL); /* an early wake-up only tries again sooner */
    }
    return true;
}
