/* What the firmware and the boot loader wrote down of this boot. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "device/device.h"
#include "os/files.h"

#define KERNELS_LOG "/sys/kernel/security/tpm0/binary_bios_measurements"
enum { PIECE = 4096 };

/* A simulator's PCRs have nothing to do with this machine's firmware. */
static const char *log_path(const struct device *device)
{
    if (*device->config.event_log) {
        return device->config.event_log;
    }
    return rot_info(device->rot).caps & ROT_CAP_SIMULATED ? NULL : KERNELS_LOG;
}

/* The kernel gives the size 0 for it, so it is read until it ends. */
static kw_status read_from(struct kw_op *op, int fd, uint64_t from, struct kw_out *out)
{
    uint8_t piece[PIECE];

    for (uint64_t at = 0;;) {
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        ENSURE(op, n >= 0, KW_E_IO, "the event log: %s", strerror(errno));
        if (n == 0) {
            ENSURE(op, at >= from, KW_E_INTEGRITY, "the event log is shorter than it was");
            return KW_OK;
        }
        size_t skip = at >= from ? 0 : (size_t)(from - at < (uint64_t)n ? from - at : (uint64_t)n);
        TRY(op, kw_out_append(out, KW_SPAN(piece + skip, (size_t)n - skip)),
            "the event log has more than %zu new octets", out->cap);
        at += (uint64_t)n;
    }
}

kw_status eventlog_read(struct kw_op *op, const struct device *device, uint64_t from,
                        struct kw_out *out)
{
    const char *path = log_path(device);
    OS_FD_AUTO int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0) {
        bool absent = !path || errno == ENOENT;
        ENSURE(op, absent, KW_E_IO, "the event log '%s': %s", path, strerror(errno));
        return KW_OK; /* firmware that keeps none: the server's policy judges */
    }
    return read_from(op, fd, from, out);
}
