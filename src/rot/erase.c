#include "rot/erase.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/files.h"

enum { PIECE_BYTES = 512 };

static size_t piece_at(size_t at, size_t size)
{
    return size - at < PIECE_BYTES ? size - at : PIECE_BYTES;
}

static kw_status write_zeroes(struct kw_op *op, int fd, size_t size)
{
    static const uint8_t zeroes[PIECE_BYTES];

    for (size_t at = 0; at < size;) {
        ssize_t n = pwrite(fd, zeroes, piece_at(at, size), (off_t)at);
        ENSURE(op, n > 0, KW_E_IO, "overwriting: %s", strerror(errno));
        at += (size_t)n;
    }
    ENSURE(op, fsync(fd) == 0, KW_E_IO, "overwriting: %s", strerror(errno));
    return KW_OK;
}

static kw_status read_zeroes(struct kw_op *op, int fd, size_t size)
{
    uint8_t piece[PIECE_BYTES];

    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* advice: read the disk, not the cache */
    for (size_t at = 0; at < size;) {
        ssize_t n = pread(fd, piece, piece_at(at, size), (off_t)at);
        ENSURE(op, n > 0, KW_E_DEVICE, "the overwritten file cannot be read back");
        for (ssize_t i = 0; i < n; i++) {
            ENSURE(op, piece[i] == 0, KW_E_DEVICE, "octet %zu did not read back as zero",
                   at + (size_t)i);
        }
        at += (size_t)n;
    }
    return KW_OK;
}

kw_status rot_erase_file(struct kw_op *op, const char *path, size_t *ret_size)
{
    struct stat st;
    OS_FD_AUTO int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) {
        *ret_size = 0;
        return KW_OK;
    }
    ENSURE(op, fd >= 0, KW_E_IO, "opening '%s': %s", path, strerror(errno));
    ENSURE(op, fstat(fd, &st) == 0 && S_ISREG(st.st_mode), KW_E_IO, "'%s' is no file", path);
    TRY(op, write_zeroes(op, fd, (size_t)st.st_size), "'%s'", path);
    TRY(op, read_zeroes(op, fd, (size_t)st.st_size), "'%s'", path);
    TRY(op, os_file_shred(op, path));
    ENSURE(op, !os_file_exists(path), KW_E_DEVICE, "'%s' is still there", path);
    *ret_size = (size_t)st.st_size;
    return KW_OK;
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t n_name = strlen(name);
    size_t n_suffix = strlen(suffix);
    return n_name > n_suffix && strcmp(name + n_name - n_suffix, suffix) == 0;
}

static void close_dir(DIR **dir)
{
    if (*dir) {
        (void)closedir(*dir); /* only read */
    }
}

kw_status rot_erase_leftovers(struct kw_op *op, const char *dir)
{
    __attribute__((cleanup(close_dir))) DIR *open_dir = opendir(dir);
    char path[KW_PATH_BYTES];
    size_t size = 0;

    ENSURE(op, open_dir, KW_E_IO, "opening folder '%s': %s", dir, strerror(errno));
    for (struct dirent *entry = NULL; (entry = readdir(open_dir)) != NULL;) {
        bool temporary = entry->d_name[0] == '.' && ends_with(entry->d_name, ".tmp");
        if (temporary || ends_with(entry->d_name, ROT_GONE_SUFFIX)) {
            TRY(op, os_path_join(op, path, sizeof(path), dir, entry->d_name));
            TRY(op, rot_erase_file(op, path, &size), "clearing up");
        }
    }
    return KW_OK;
}
