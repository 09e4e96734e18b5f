/* A backup, first octet says which part: 0 the whole file (head, chunks, trailer), 1 its plain
 * content, fed in two pieces, 2 the keeper's part. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "service/backup/archive.h"
#include "service/backup/package.h"
#include "service/backup/trailer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void file(struct kw_op *op, struct kw_span octets)
{
    struct archive_outer outer;
    struct checkpoint head;
    char vkey[CHECKPOINT_VKEY_MAX];
    int fd = memfd_create("backup", MFD_CLOEXEC);

    if (fd < 0 || write(fd, octets.p, octets.len) != (ssize_t)octets.len) {
        abort();
    }
    if (kw_ok(archive_scan(op, fd, &outer))) {
        (void)trailer_verify(op, &outer, NULL, &head, vkey); /* whatever it says */
    }
    archive_outer_done(&outer);
    (void)close(fd);
}

static void content(struct kw_op *op, struct kw_span octets)
{
    struct archive_taker taker = {0};
    AUTO(archive_members) *members = NULL;
    size_t half = octets.len / 3;

    if (!kw_ok(archive_members_new(op, &taker, &members))) {
        abort();
    }
    if (kw_ok(archive_members_feed(op, members, kw_span_sub(octets, 0, half))) &&
        kw_ok(archive_members_feed(op, members, kw_span_sub(octets, half, octets.len)))) {
        (void)archive_members_end(op, members); /* whatever it says */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_op op;

    if (size == 0) {
        return 0;
    }
    kw_op_init(&op, "fuzz", 0);
    struct kw_span octets = KW_SPAN(data + 1, size - 1);
    if (data[0] == 0) {
        file(&op, octets);
    } else if (data[0] == 1) {
        content(&op, octets);
    } else {
        (void)package_each(&op, octets, NULL, NULL); /* whatever it says */
    }
    return 0;
}
