/*
 * Power cuts for a program that knows nothing of them.
 *
 *     LD_PRELOAD=crashpoint.so CRASHPOINT_AT=17 CRASHPOINT_HOW=torn keywright-agent enrol …
 *
 * Every operation on files (open to write, write, pwrite, ftruncate, rename, unlink, link, mkdir,
 * chmod, fsync) and on the network (connect, send) has a number, from 1 on. At number
 * CRASHPOINT_AT the process kills itself: "before" the operation, "torn" in the middle of it (half
 * of the octets are written), or "after" it. CRASHPOINT_LOG: a file that gets one line for each
 * operation, "NUMBER KIND PATH".
 *
 * What was written before the cut stays, as with a disk that keeps its order; what a disk may lose
 * without fsync is not played here.
 */
/* open and open64 are two symbols of one meaning, and both are wrapped. */
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define CUT_API __attribute__((visibility("default")))

enum how { BEFORE, TORN, AFTER };

static atomic_ulong n_seen;
static unsigned long at;
static enum how how;
static int log_fd = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void)
{
    const char *number = getenv("CRASHPOINT_AT");
    const char *manner = getenv("CRASHPOINT_HOW");
    const char *path = getenv("CRASHPOINT_LOG");

    at = number ? strtoul(number, NULL, 10) : 0;
    how = manner && strcmp(manner, "torn") == 0 ? TORN : BEFORE;
    how = manner && strcmp(manner, "after") == 0 ? AFTER : how;
    if (path) { /* past our own wrappers */
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                              0600);
    }
}

static void die(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;) {
        (void)pause();
    }
}

static void put_line(unsigned long number, const char *kind, const char *what)
{
    char line[512];
    int n = snprintf(line, sizeof(line), "%lu %s %s\n", number, kind, what);

    if (n > 0) {
        (void)syscall(SYS_write, log_fd, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line));
    }
}

/* Begin an operation; what is left to do of the cut: NOT_NOW, or how it shall be done. */
enum cut { NOT_NOW, TEAR_IT, DO_AND_DIE };

static enum cut begin(const char *kind, const char *what)
{
    (void)pthread_once(&once, init);
    unsigned long number = atomic_fetch_add(&n_seen, 1) + 1;
    if (log_fd >= 0) {
        put_line(number, kind, what);
    }
    if (number != at) {
        return NOT_NOW;
    }
    if (how == BEFORE) {
        die();
    }
    return how == TORN ? TEAR_IT : DO_AND_DIE;
}

#define REAL(name)                                                                                 \
    static __typeof__(name) *real;                                                                 \
    if (!real) {                                                                                   \
        *(void **)&real = dlsym(RTLD_NEXT, #name);                                                 \
    }

/* An operation that is done whole or not at all. */
#define WHOLE(type, name, params, args, what)                                                      \
    CUT_API type name params                                                                       \
    {                                                                                              \
        REAL(name)                                                                                 \
        enum cut cut_ = begin(#name, what);                                                        \
        type ret_ = real args;                                                                     \
        if (cut_ != NOT_NOW) {                                                                     \
            die();                                                                                 \
        }                                                                                          \
        return ret_;                                                                               \
    }

WHOLE(int, rename, (const char *from, const char *to), (from, to), to)
WHOLE(int, renameat, (int from_fd, const char *from, int to_fd, const char *to),
      (from_fd, from, to_fd, to), to)
WHOLE(int, unlink, (const char *path), (path), path)
WHOLE(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags), path)
WHOLE(int, remove, (const char *path), (path), path)
WHOLE(int, rmdir, (const char *path), (path), path)
WHOLE(int, mkdir, (const char *path, mode_t mode), (path, mode), path)
WHOLE(int, link, (const char *from, const char *to), (from, to), to)
WHOLE(int, fchmod, (int fd, mode_t mode), (fd, mode), "")
WHOLE(int, chmod, (const char *path, mode_t mode), (path, mode), path)
WHOLE(int, fsync, (int fd), (fd), "")
WHOLE(int, fdatasync, (int fd), (fd), "")
WHOLE(int, ftruncate, (int fd, off_t len), (fd, len), "")
WHOLE(int, ftruncate64, (int fd, off64_t len), (fd, len), "")

/* --- opening: only where it may change something ------------------------------------------------
 */

static bool changes(int flags)
{
    return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
}

#define OPENING(name, params, args)                                                                \
    CUT_API int name params                                                                        \
    {                                                                                              \
        REAL(name)                                                                                 \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(more, mode_t) : 0;                \
        va_end(more);                                                                              \
        enum cut cut_ = changes(flags) ? begin(#name, path) : NOT_NOW;                             \
        int fd = real args;                                                                        \
        if (cut_ != NOT_NOW) {                                                                     \
            die();                                                                                 \
        }                                                                                          \
        return fd;                                                                                 \
    }
OPENING(open, (const char *path, int flags, ...), (path, flags, mode))
OPENING(open64, (const char *path, int flags, ...), (path, flags, mode))
OPENING(openat, (int dir, const char *path, int flags, ...), (dir, path, flags, mode))
OPENING(openat64, (int dir, const char *path, int flags, ...), (dir, path, flags, mode))

/* --- writing: files and connections, whole or half ----------------------------------------------
 */

/* What a descriptor is, for the number and the log; NULL: neither a file nor a connection. */
static const char *kind_of(int fd)
{
    struct stat st;
    int domain = 0;
    socklen_t n = sizeof(domain);

    if (fstat(fd, &st) != 0) {
        return NULL;
    }
    if (S_ISSOCK(st.st_mode)) {
        bool net = getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 &&
                   (domain == AF_INET || domain == AF_INET6);
        return net ? "send" : NULL;
    }
    return S_ISREG(st.st_mode) ? "write" : NULL;
}

/* Half of a span, at least one octet less than all of it. */
#define WRITING(type, name, params, args, half_args)                                               \
    CUT_API type name params                                                                       \
    {                                                                                              \
        REAL(name)                                                                                 \
        const char *kind = kind_of(fd);                                                            \
        enum cut cut_ = kind ? begin(kind, #name) : NOT_NOW;                                       \
        type ret_ = cut_ == TEAR_IT ? real half_args : real args;                                  \
        if (cut_ != NOT_NOW) {                                                                     \
            die();                                                                                 \
        }                                                                                          \
        return ret_;                                                                               \
    }
WRITING(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n), (fd, p, n / 2))
WRITING(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t to), (fd, p, n, to),
        (fd, p, n / 2, to))
WRITING(ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t to), (fd, p, n, to),
        (fd, p, n / 2, to))
WRITING(ssize_t, send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags),
        (fd, p, n / 2, flags))
WRITING(ssize_t, sendto,
        (int fd, const void *p, size_t n, int flags, const struct sockaddr *to, socklen_t to_len),
        (fd, p, n, flags, to, to_len), (fd, p, n / 2, flags, to, to_len))
/* Half of the pieces is near enough. */
WRITING(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), (fd, v, n / 2))
WRITING(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags),
        (fd, m, flags))

CUT_API int connect(int fd, const struct sockaddr *to, socklen_t len)
{
    REAL(connect)
    bool net = to && (to->sa_family == AF_INET || to->sa_family == AF_INET6);
    enum cut cut_ = net ? begin("connect", "") : NOT_NOW;

    int ret_ = real(fd, to, len);
    if (cut_ != NOT_NOW) {
        die();
    }
    return ret_;
}

/* --- stdio: what tokens' libraries write their files with ----------------------------------------
 */

#define STREAM(name)                                                                               \
    CUT_API FILE *name(const char *path, const char *mode)                                         \
    {                                                                                              \
        REAL(name)                                                                                 \
        enum cut cut_ = strpbrk(mode, "wa+") ? begin("fopen", path) : NOT_NOW;                     \
        FILE *stream = real(path, mode);                                                           \
        if (cut_ != NOT_NOW) {                                                                     \
            die();                                                                                 \
        }                                                                                          \
        return stream;                                                                             \
    }
STREAM(fopen)
STREAM(fopen64)

static bool is_written(FILE *stream)
{
    return __fwriting(stream) && kind_of(fileno(stream));
}

CUT_API size_t fwrite(const void *p, size_t one, size_t n, FILE *stream)
{
    REAL(fwrite)
    enum cut cut_ = is_written(stream) ? begin("write", "fwrite") : NOT_NOW;

    size_t ret_ = cut_ == TEAR_IT ? real(p, 1, one * n / 2, stream) : real(p, one, n, stream);
    if (cut_ != NOT_NOW) {
        (void)fflush_unlocked(stream);
        die();
    }
    return ret_;
}

CUT_API int fclose(FILE *stream)
{
    REAL(fclose)
    enum cut cut_ = is_written(stream) ? begin("fclose", "") : NOT_NOW;

    int ret_ = real(stream);
    if (cut_ != NOT_NOW) {
        die();
    }
    return ret_;
}
