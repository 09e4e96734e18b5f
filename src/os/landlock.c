#include "os/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/files.h"

/* What the kernel headers of Debian 12 do not know yet (linux/landlock.h of 6.12). */
enum {
    FS_TRUNCATE = 1 << 14,  /* ABI 3 */
    FS_IOCTL_DEV = 1 << 15, /* ABI 5 */
    NET_ALL = 3,            /* ABI 4: bind and connect */
    SCOPE_ALL = 3,          /* ABI 6: abstract sockets and signals */
    FS_ABI_1 = (1 << 13) - 1,
    ABI_NEWEST = 6,
};

/* The kernel reads as much of it as we say. */
struct ruleset {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

/* By ABI: what it can restrict, and how much of the struct it knows. */
static const struct abi {
    uint64_t fs;
    bool net, scoped;
    size_t size;
} abis[ABI_NEWEST + 1] = {
    [1] = {FS_ABI_1,                                                         false, false, 8 },
    [2] = {FS_ABI_1 | LANDLOCK_ACCESS_FS_REFER,                              false, false, 8 },
    [3] = {FS_ABI_1 | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE,                false, false, 8 },
    [4] = {FS_ABI_1 | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE,                true,  false, 16},
    [5] = {FS_ABI_1 | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE | FS_IOCTL_DEV, true,  false, 16},
    [6] = {FS_ABI_1 | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE | FS_IOCTL_DEV, true,  true,  24},
};

static const uint64_t read_rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t write_rights = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER |
                                     FS_TRUNCATE;
/* What a rule on something else than a folder may say. */
static const uint64_t file_rights =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE;

static unsigned kernel_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    if (abi < 1) {
        return 0;
    }
    return abi > ABI_NEWEST ? ABI_NEWEST : (unsigned)abi;
}

static kw_status add_path(struct kw_op *op, int ruleset, const struct abi *abi,
                          const struct os_path *path)
{
    struct stat about;
    OS_FD_AUTO int fd = open(path->path, O_PATH | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT && (path->access & OS_ACCESS_IF_THERE)) {
        return KW_OK;
    }
    ENSURE(op, fd >= 0 && fstat(fd, &about) == 0, errno == ENOENT ? KW_E_NOT_FOUND : KW_E_IO,
           "%s: %s", path->path, strerror(errno));
    uint64_t rights = read_rights | (path->access & OS_ACCESS_WRITE ? write_rights : 0);
    if (!S_ISDIR(about.st_mode)) {
        rights &= file_rights;
    }
    struct landlock_path_beneath_attr rule = {.allowed_access = rights & abi->fs, .parent_fd = fd};
    ENSURE(op, syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0,
           KW_E_IO, "a landlock rule for %s: %s", path->path, strerror(errno));
    return KW_OK;
}

static kw_status add_paths(struct kw_op *op, int ruleset, const struct abi *abi,
                           const struct os_paths tables[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t row = 0; row < tables[i].n; row++) {
            TRY(op, add_path(op, ruleset, abi, &tables[i].rows[row]));
        }
    }
    return KW_OK;
}

kw_status os_landlock_enforce(struct kw_op *op, const struct os_paths tables[], size_t n, bool tcp,
                              unsigned *ret_abi)
{
    unsigned version = kernel_abi();
    const struct abi *abi = &abis[version];
    struct ruleset all = {.fs = abi->fs,
                          .net = abi->net && !tcp ? NET_ALL : 0,
                          .scoped = abi->scoped ? SCOPE_ALL : 0};

    if (version == 0) {
        *ret_abi = 0;
        return KW_OK;
    }
    OS_FD_AUTO int ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, abi->size, 0);
    ENSURE(op, ruleset >= 0, KW_E_IO, "landlock: %s", strerror(errno));
    TRY(op, add_paths(op, ruleset, abi, tables, n));
    ENSURE(op, syscall(SYS_landlock_restrict_self, ruleset, 0) == 0, KW_E_IO, "landlock: %s",
           strerror(errno));
    *ret_abi = version;
    return KW_OK;
}
