/*
 * Both files are read whole when the log is opened: that finds the end, whatever was cut. Room is
 * taken once; afterwards octets are only written in place.
 */
#include "device/events_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/writer.h"
#include "crypto/digest.h"
#include "os/files.h"
#include "os/rng.h"
#include "rot/dirlock.h"

static const uint8_t MAGIC[8] = {'k', 'w', 's', 'e', 'g', '1', 0, 0};
static const char *const names[] = {"events-a", "events-b"};
enum {
    FILES = EVENTS_FILES,
    CHECK_BYTES = 8,
    HEAD_BYTES = 8 + 8 + 8 + KW_HASH_BYTES + CHECK_BYTES
};

struct head {
    uint64_t generation; /* 0: the file holds nothing */
    uint64_t from;       /* ids in it are at least this */
    uint8_t before[KW_HASH_BYTES];
};

/* Behind a record, or behind the head. */
struct mark {
    size_t at;
    uint64_t id; /* of that record; head.from - 1 behind the head */
    uint8_t hash[KW_HASH_BYTES];
};

struct segment {
    int fd;
    struct head head;
    struct mark end;
    uint8_t octets[EVENTS_FILE_BYTES];
};

struct events_file {
    int lock;
    unsigned now; /* which one is written to */
    struct events_end end;
    struct segment at[FILES];
};

/* --- one file --------------------------------------------------------------------------------- */

static bool read_head(const uint8_t *octets, struct head *ret)
{
    struct kw_reader r = kw_reader_of(KW_SPAN(octets, HEAD_BYTES - CHECK_BYTES));
    uint8_t check[KW_HASH_BYTES];
    struct kw_span magic = kw_reader_take(&r, sizeof(MAGIC));

    digest_sha256(KW_SPAN(octets, HEAD_BYTES - CHECK_BYTES), check);
    ret->generation = kw_reader_u64(&r);
    ret->from = kw_reader_u64(&r);
    kw_reader_copy(&r, ret->before, sizeof(ret->before));
    return kw_span_equal(magic, KW_SPAN_ARRAY(MAGIC)) && ret->generation > 0 && ret->from > 0 &&
           ret->from <= INT64_MAX &&
           memcmp(check, octets + HEAD_BYTES - CHECK_BYTES, CHECK_BYTES) == 0;
}

static struct mark first_mark(const struct segment *it)
{
    struct mark mark = {.at = HEAD_BYTES, .id = it->head.from - 1};

    memcpy(mark.hash, it->head.before, sizeof(mark.hash));
    return mark;
}

/* The record behind a mark, where it is what follows; the mark goes behind it. What is none counts
 * as room. */
static bool next_record(const struct segment *it, struct mark *mark, struct device_event *ret,
                        struct kw_span *ret_all)
{
    const uint8_t *begin = it->octets + mark->at;
    struct kw_reader r = kw_reader_of(KW_SPAN(begin, sizeof(it->octets) - mark->at));
    uint8_t hash[KW_HASH_BYTES];
    struct kw_span hashed;

    if (!kw_ok(device_event_read(&r, ret, &hashed)) || ret->id <= mark->id ||
        memcmp(ret->previous, mark->hash, sizeof(mark->hash)) != 0) {
        return false;
    }
    digest_sha256(hashed, hash);
    if (memcmp(hash, ret->hash, sizeof(hash)) != 0) {
        return false;
    }
    *ret_all = KW_SPAN(begin, hashed.len + KW_HASH_BYTES);
    mark->at += ret_all->len;
    mark->id = ret->id;
    memcpy(mark->hash, hash, sizeof(mark->hash));
    return true;
}

static void note_last(struct events_end *end, const struct device_event *event)
{
    end->first = end->any ? end->first : event->id;
    end->last = *event;
    end->any = true;
    end->id = event->id;
}

static void find_end(struct segment *it, struct events_end *end)
{
    struct device_event event;
    struct kw_span all;

    it->end = first_mark(it);
    while (next_record(it, &it->end, &event, &all)) {
        note_last(end, &event);
    }
}

static kw_status load(struct kw_op *op, struct segment *it)
{
    ssize_t n = pread(it->fd, it->octets, sizeof(it->octets), 0);

    ENSURE(op, n >= 0, KW_E_IO, "reading the events: %s", strerror(errno));
    if (n < HEAD_BYTES || !read_head(it->octets, &it->head)) {
        it->head = (struct head){0};
    }
    return KW_OK;
}

static kw_status put(struct kw_op *op, struct segment *it, size_t at, struct kw_span octets)
{
    ssize_t n = pwrite(it->fd, octets.p, octets.len, (off_t)at);

    ENSURE(op, n == (ssize_t)octets.len && fdatasync(it->fd) == 0,
           errno == ENOSPC || errno == EDQUOT ? KW_E_FULL : KW_E_IO, "writing an event: %s",
           n >= 0 && n < (ssize_t)octets.len ? "no room" : strerror(errno));
    memcpy(it->octets + at, octets.p, octets.len);
    return KW_OK;
}

static kw_status begin(struct kw_op *op, struct segment *it, const struct head *head)
{
    uint8_t room[HEAD_BYTES], check[KW_HASH_BYTES];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&out);

    kw_writer_put(&w, KW_SPAN_ARRAY(MAGIC));
    kw_writer_u64(&w, head->generation);
    kw_writer_u64(&w, head->from);
    kw_writer_put(&w, KW_SPAN_ARRAY(head->before));
    digest_sha256(kw_out_span(&out), check);
    kw_writer_put(&w, KW_SPAN(check, CHECK_BYTES));
    TRY(op, kw_writer_end(&w), "events");
    TRY(op, put(op, it, 0, kw_out_span(&out)));
    it->head = *head;
    return KW_OK;
}

/* --- both ------------------------------------------------------------------------------------- */

static kw_status open_one(struct kw_op *op, const char *dir, const char *name, struct segment *it)
{
    char path[KW_PATH_BYTES];
    struct stat info;

    TRY(op, os_path_join(op, path, sizeof(path), dir, name));
    it->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    ENSURE(op, it->fd >= 0 && fstat(it->fd, &info) == 0, errno == ENOSPC ? KW_E_FULL : KW_E_IO,
           "%s: %s", path, strerror(errno));
    if (info.st_size < EVENTS_FILE_BYTES) {
        int error = posix_fallocate(it->fd, 0, EVENTS_FILE_BYTES);
        ENSURE(op, error == 0, error == ENOSPC ? KW_E_FULL : KW_E_IO, "room for events in %s: %s",
               path, strerror(error));
    }
    return load(op, it);
}

static kw_status begin_first(struct kw_op *op, struct events_file *file)
{
    struct head head = {.generation = 1, .from = 1};

    TRY(op, os_random(op, head.before, sizeof(head.before)));
    return begin(op, &file->at[0], &head);
}

static void find_ends(struct events_file *file)
{
    unsigned older = 1 - file->now;

    file->end = (struct events_end){0};
    if (file->at[older].head.generation + 1 == file->at[file->now].head.generation) {
        find_end(&file->at[older], &file->end);
    } else {
        file->at[older].head = (struct head){0}; /* of no use to the newer one */
    }
    find_end(&file->at[file->now], &file->end);
    file->end.id = file->at[file->now].end.id;
    file->end.first = file->end.any ? file->end.first : file->end.id + 1;
}

static kw_status open_all(struct kw_op *op, const char *dir, struct events_file *file)
{
    char path[KW_PATH_BYTES];

    TRY(op, os_path_join(op, path, sizeof(path), dir, "events"));
    TRY(op, os_dir_make(op, path, 0700));
    TRY(op, rot_dir_lock(op, path, &file->lock));
    for (unsigned i = 0; i < FILES; i++) {
        TRY(op, open_one(op, dir, names[i], &file->at[i]));
    }
    if (file->at[0].head.generation == 0 && file->at[1].head.generation == 0) {
        TRY(op, begin_first(op, file));
    }
    file->now = file->at[1].head.generation > file->at[0].head.generation ? 1 : 0;
    find_ends(file);
    return KW_OK;
}

kw_status events_file_open(struct kw_op *op, const char *dir, struct events_file **ret)
{
    AUTO(events_file) *file = calloc(1, sizeof(*file));

    ENSURE(op, file, KW_E_MEMORY, "events");
    file->lock = file->at[0].fd = file->at[1].fd = -1;
    TRY(op, open_all(op, dir, file), "security events");
    *ret = TAKE(file);
    return KW_OK;
}

void events_file_close(struct events_file *file)
{
    for (unsigned i = 0; i < FILES; i++) {
        os_fd_close(&file->at[i].fd);
    }
    os_fd_close(&file->lock); /* last: it is the lock */
    free(file);
}

const struct events_end *events_file_end(const struct events_file *file)
{
    return &file->end;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* The other file begins anew behind the last record; what it held is gone. */
static kw_status turn(struct kw_op *op, struct events_file *file, uint64_t from)
{
    const struct segment *full = &file->at[file->now];
    struct head head = {.generation = full->head.generation + 1, .from = from};

    memcpy(head.before, full->end.hash, sizeof(head.before));
    TRY(op, begin(op, &file->at[1 - file->now], &head));
    file->now = 1 - file->now;
    find_ends(file);
    return KW_OK;
}

static kw_status encode(struct kw_op *op, struct device_event *event, struct kw_out *out)
{
    out->len = 0;
    TRY(op, device_event_write(event, out), "an event's texts");
    digest_sha256(kw_out_span(out), event->hash);
    return kw_out_append(out, KW_SPAN_ARRAY(event->hash));
}

kw_status events_file_append(struct kw_op *op, struct events_file *file, struct device_event *event)
{
    uint8_t room[DEVICE_EVENT_RECORD_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct segment *it = &file->at[file->now];

    ENSURE(op, event->id > file->end.id, KW_E_INTERNAL, "an event's id");
    memcpy(event->previous, it->end.hash, sizeof(event->previous));
    TRY(op, encode(op, event, &out));
    if (it->end.at + out.len > sizeof(it->octets)) {
        TRY(op, turn(op, file, event->id));
        it = &file->at[file->now];
    }
    TRY(op, put(op, it, it->end.at, kw_out_span(&out)));
    it->end.at += out.len;
    it->end.id = event->id;
    memcpy(it->end.hash, event->hash, sizeof(it->end.hash));
    note_last(&file->end, event);
    return KW_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool each_of(const struct segment *it, uint64_t from, events_take take, void *ctx)
{
    struct mark mark = first_mark(it);
    struct device_event event;
    struct kw_span all;

    while (next_record(it, &mark, &event, &all)) {
        if (event.id >= from && !take(ctx, &event, all)) {
            return false;
        }
    }
    return true;
}

void events_file_each(const struct events_file *file, uint64_t from, events_take take, void *ctx)
{
    unsigned older = 1 - file->now;

    if (file->at[older].head.generation == 0 || each_of(&file->at[older], from, take, ctx)) {
        (void)each_of(&file->at[file->now], from, take, ctx);
    }
}
