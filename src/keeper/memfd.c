#include "keeper/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/files.h"

enum { SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };

static kw_status write_all(struct kw_op *op, int fd, struct kw_span content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.p, content.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        ENSURE(op, n > 0, errno == ENOSPC || errno == ENOMEM ? KW_E_MEMORY : KW_E_IO,
               "filling a memory file: %s", strerror(errno));
        content = kw_span_sub(content, (size_t)n, content.len - (size_t)n);
    }
    return KW_OK;
}

kw_status memfd_make(struct kw_op *op, struct kw_span content, int *ret_fd)
{
    OS_FD_AUTO int fd = memfd_create("keywright", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    ENSURE(op, fd >= 0, KW_E_IO, "making a memory file: %s", strerror(errno));
    TRY(op, write_all(op, fd, content));
    ENSURE(op, fcntl(fd, F_ADD_SEALS, SEALS) == 0, KW_E_IO, "sealing a memory file: %s",
           strerror(errno));
    *ret_fd = fd;
    fd = -1;
    return KW_OK;
}

kw_status memfd_map(struct kw_op *op, int fd, size_t len, struct memfd_map *ret)
{
    struct stat about;

    int seals = fcntl(fd, F_GET_SEALS);
    ENSURE(op, seals >= 0, KW_E_DENIED, "memfd: the descriptor is no memory file");
    ENSURE(op, (seals & SEALS) == SEALS, KW_E_DENIED, "memfd: the memory file is not sealed");
    ENSURE(op, fstat(fd, &about) == 0 && S_ISREG(about.st_mode), KW_E_DENIED,
           "memfd: the descriptor is no memory file");
    ENSURE(op, len > 0 && about.st_size == (off_t)len, KW_E_INPUT,
           "memfd: %zu octets announced, %lld there", len, (long long)about.st_size);
    void *p = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    ENSURE(op, p != MAP_FAILED, KW_E_MEMORY, "memfd: mapping %zu octets: %s", len, strerror(errno));
    *ret = (struct memfd_map){p, len};
    return KW_OK;
}

void memfd_unmap(struct memfd_map *map)
{
    if (map->p) {
        (void)munmap(map->p, map->len); /* can only fail on a bad address */
        *map = (struct memfd_map){0};
    }
}
