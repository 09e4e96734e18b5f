#include "cmd/keywright-keeper/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/rng.h"

enum {
    FILE_MODE = 0600,
    HEAD_BYTES = 8,
    LEN_BYTES = 2,
    RECORD_MAX = LEN_BYTES + KEEPER_JOURNAL_ROW_MAX + KW_HASH_BYTES,
    MARK_EVERY = 256, /* rows between two known places in the file */
};
static const char magic[HEAD_BYTES + 1] = "KWJRNL01";

/* Where a row begins, and what it is chained to. */
struct mark {
    int64_t offset;
    uint8_t before[KW_HASH_BYTES];
};

struct journal {
    int fd;
    int64_t size;
    bool synced;
    struct state *state;
    struct kw_secret *key;
    size_t n_marks, cap_marks;
    struct mark *marks; /* of rows 1, 257, … */
    uint64_t unread;    /* the row behind those that were read last; 0: none were */
    struct mark at_unread;
};

void journal_free(struct journal *journal)
{
    if (!journal) {
        return;
    }
    os_fd_close(&journal->fd);
    kw_secret_free(journal->key);
    free(journal->marks);
    free(journal);
}

/* HMAC-SHA-256 over the mac of the row before and the row. */
static kw_status mac_of(struct kw_op *op, const struct journal *journal,
                        const uint8_t before[KW_HASH_BYTES], struct kw_span row,
                        uint8_t ret[KW_HASH_BYTES])
{
    uint8_t octets[KW_HASH_BYTES + KEEPER_JOURNAL_ROW_MAX];
    struct kw_out all = KW_OUT_ARRAY(octets);

    TRY(op, kw_out_append(&all, KW_SPAN(before, KW_HASH_BYTES)));
    TRY(op, kw_out_append(&all, row));
    return digest_hmac_sha256(op, journal->key, kw_out_span(&all), ret);
}

static kw_status add_mark(struct kw_op *op, struct journal *journal, uint64_t seq, int64_t offset,
                          const uint8_t before[KW_HASH_BYTES])
{
    if (seq % MARK_EVERY != 1) {
        return KW_OK;
    }
    if (journal->n_marks == journal->cap_marks) {
        size_t cap = journal->cap_marks == 0 ? 64 : journal->cap_marks * 2;
        struct mark *marks = reallocarray(journal->marks, cap, sizeof(*marks));
        ENSURE(op, marks, KW_E_MEMORY, "no memory for the journal");
        journal->marks = marks;
        journal->cap_marks = cap;
    }
    struct mark *mark = &journal->marks[journal->n_marks++];
    mark->offset = offset;
    memcpy(mark->before, before, KW_HASH_BYTES);
    return KW_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct cursor {
    int64_t offset;
    uint64_t seq; /* of the row at offset */
    uint8_t before[KW_HASH_BYTES];
    /* What was read from the file last. */
    uint8_t room[64 * 1024];
    int64_t room_at;
    size_t room_len;
};

/* len octets at the cursor, from the room or the file; fewer at the file's end. */
static kw_status peek(struct kw_op *op, const struct journal *journal, struct cursor *c, size_t len,
                      struct kw_span *ret)
{
    int64_t at = c->offset - c->room_at;

    if (at < 0 || (size_t)at + len > c->room_len) {
        ssize_t n = pread(journal->fd, c->room, sizeof(c->room), c->offset);
        ENSURE(op, n >= 0, KW_E_IO, "reading the journal: %s", strerror(errno));
        c->room_at = c->offset;
        c->room_len = (size_t)n;
        at = 0;
    }
    *ret = kw_span_sub(KW_SPAN(c->room, c->room_len), (size_t)at, len);
    return KW_OK;
}

/* The row at the cursor; false where none stands there as it was written. Moves behind it. */
static kw_status next_row(struct kw_op *op, const struct journal *journal, struct cursor *c,
                          struct keeper_journal_row *ret, bool *ret_whole)
{
    struct kw_span record = {0};
    uint8_t mac[KW_HASH_BYTES];

    *ret_whole = false;
    TRY(op, peek(op, journal, c, RECORD_MAX, &record));
    struct kw_reader r = kw_reader_of(record);
    struct kw_span body = kw_reader_span16(&r, KEEPER_JOURNAL_ROW_MAX);
    struct kw_span stored = kw_reader_take(&r, KW_HASH_BYTES);
    if (r.failed) {
        return KW_OK;
    }
    TRY(op, mac_of(op, journal, c->before, body, mac));
    struct kw_reader in = kw_reader_of(body);
    keeper_journal_row_decode(&in, ret);
    if (!kw_ok(kw_reader_end(&in)) || !kw_span_equal(stored, KW_SPAN_ARRAY(mac)) ||
        ret->seq != c->seq) {
        return KW_OK;
    }
    c->offset += (int64_t)(LEN_BYTES + body.len + KW_HASH_BYTES);
    c->seq++;
    memcpy(c->before, mac, sizeof(mac));
    *ret_whole = true;
    return KW_OK;
}

/* A reader goes through it page by page: on from the last one, or from the mark before `from`. */
static void seek(const struct journal *journal, uint64_t from, struct cursor *c)
{
    size_t mark = (size_t)((from - 1) / MARK_EVERY);
    uint64_t marked = (uint64_t)mark * MARK_EVERY + 1;
    bool goes_on = journal->unread >= marked && journal->unread <= from;
    const struct mark *start = goes_on ? &journal->at_unread : &journal->marks[mark];

    *c = (struct cursor){.offset = start->offset, .seq = goes_on ? journal->unread : marked};
    memcpy(c->before, start->before, sizeof(c->before));
}

kw_status journal_read(struct kw_op *op, struct journal *journal, uint64_t from, unsigned max,
                       struct kw_writer *w, unsigned *ret_n)
{
    static struct cursor c; /* large; one thread */
    struct keeper_journal_row row = {0};
    uint64_t last = journal->state->journal_seq;
    bool whole = true;
    unsigned n = 0;

    from = from == 0 ? 1 : from;
    if (from > last) {
        *ret_n = 0;
        return KW_OK;
    }
    seek(journal, from, &c);
    while (n < max && c.seq <= last) {
        TRY(op, next_row(op, journal, &c, &row, &whole));
        ENSURE(op, whole, KW_E_INTEGRITY, "row %llu of the journal was altered",
               (unsigned long long)c.seq);
        if (row.seq >= from) {
            keeper_journal_row_encode(w, &row);
            n++;
        }
    }
    journal->unread = c.seq;
    journal->at_unread.offset = c.offset;
    memcpy(journal->at_unread.before, c.before, sizeof(c.before));
    *ret_n = n;
    return KW_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Whole or not at all: half a row would hide all that come after it. */
static kw_status write_record(struct kw_op *op, struct journal *journal, struct kw_span record)
{
    ssize_t n = pwrite(journal->fd, record.p, record.len, journal->size);

    if (n == (ssize_t)record.len) {
        journal->size += n;
        return KW_OK;
    }
    int error = n < 0 ? errno : ENOSPC;
    if (ftruncate(journal->fd, journal->size) != 0) {
        error = errno; /* the next row is written over it all the same */
    }
    return FAIL(op, error == ENOSPC || error == EDQUOT ? KW_E_FULL : KW_E_IO,
                "journal: it cannot be written: %s", strerror(error));
}

kw_status journal_append(struct kw_op *op, struct journal *journal, struct keeper_journal_row *row)
{
    struct state *state = journal->state;
    uint8_t body_octets[KEEPER_JOURNAL_ROW_MAX];
    uint8_t octets[RECORD_MAX];
    uint8_t mac[KW_HASH_BYTES];
    struct kw_out body = KW_OUT_ARRAY(body_octets);
    struct kw_out record = KW_OUT_ARRAY(octets);

    row->seq = state->journal_seq + 1;
    struct kw_writer in = kw_writer_of(&body);
    keeper_journal_row_encode(&in, row);
    TRY(op, kw_writer_end(&in), "a row of the journal");
    TRY(op, mac_of(op, journal, state->journal_mac, kw_out_span(&body), mac));
    struct kw_writer w = kw_writer_of(&record);
    kw_writer_span16(&w, kw_out_span(&body));
    kw_writer_put(&w, KW_SPAN_ARRAY(mac));
    TRY(op, kw_writer_end(&w), "a row of the journal");
    TRY(op, add_mark(op, journal, row->seq, journal->size, state->journal_mac));
    kw_status status = write_record(op, journal, kw_out_span(&record));
    if (!kw_ok(status)) {
        journal->n_marks -= row->seq % MARK_EVERY == 1 ? 1 : 0;
        return status;
    }
    journal->synced = false;
    state->journal_seq = row->seq;
    memcpy(state->journal_mac, mac, sizeof(mac));
    state->dirty = true;
    return KW_OK;
}

kw_status journal_sync(struct kw_op *op, struct journal *journal)
{
    if (journal->synced) {
        return KW_OK;
    }
    ENSURE(op, fdatasync(journal->fd) == 0, KW_E_IO, "journal: it cannot be made durable: %s",
           strerror(errno));
    journal->synced = true;
    return KW_OK;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* What is behind the last whole row may be cut off only where the state does not speak of it. */
static kw_status cut_tail(struct kw_op *op, struct journal *journal, int64_t n_octets)
{
    struct keeper_journal_row row = {.time_ms = os_clock_unix_ms(),
                                     .kind = KEEPER_JOURNAL_CUT,
                                     .count = (uint32_t)(n_octets & UINT32_MAX)};

    if (n_octets == 0) {
        return KW_OK;
    }
    ENSURE(op, ftruncate(journal->fd, journal->size) == 0, KW_E_IO,
           "taking a torn row off the journal: %s", strerror(errno));
    (void)KW_TEXT_SET(row.who, "keeper");
    return journal_append(op, journal, &row);
}

static kw_status check_head(struct kw_op *op, const struct state *state, const struct cursor *c)
{
    ENSURE(op,
           c->seq - 1 != state->journal_seq ||
               kw_span_equal(KW_SPAN_ARRAY(c->before), KW_SPAN_ARRAY(state->journal_mac)),
           KW_E_INTEGRITY, "the journal's row %llu is not the one that was written",
           (unsigned long long)state->journal_seq);
    return KW_OK;
}

/* Every row from the first; then the state's head is the last one. */
static kw_status prove(struct kw_op *op, struct journal *journal, int64_t file_size)
{
    static struct cursor c; /* large; one thread */
    struct keeper_journal_row row = {0};
    struct state *state = journal->state;
    bool whole = true;

    c = (struct cursor){.offset = HEAD_BYTES, .seq = 1};
    for (;;) {
        uint8_t before[KW_HASH_BYTES];
        int64_t at = c.offset;
        memcpy(before, c.before, sizeof(before));
        TRY(op, check_head(op, state, &c));
        TRY(op, next_row(op, journal, &c, &row, &whole));
        if (!whole) {
            break;
        }
        TRY(op, add_mark(op, journal, row.seq, at, before));
    }
    ENSURE(
        op, c.seq > state->journal_seq, KW_E_INTEGRITY,
        "'journal' of the vault was altered or cut at row %llu of %llu: restore the whole folder "
        "of the vault from its newest backup",
        (unsigned long long)c.seq, (unsigned long long)state->journal_seq);
    if (c.seq - 1 > state->journal_seq) {
        state->journal_seq = c.seq - 1;
        memcpy(state->journal_mac, c.before, sizeof(c.before));
        state->dirty = true;
    }
    journal->size = c.offset;
    return cut_tail(op, journal, file_size - c.offset);
}

static kw_status begin(struct kw_op *op, struct journal *journal)
{
    ENSURE(op, journal->state->journal_seq == 0, KW_E_INTEGRITY,
           "'journal' is missing from the vault: restore the whole folder from its newest backup");
    TRY(op, write_record(op, journal, kw_span_text(magic)));
    journal->synced = false;
    return KW_OK;
}

/* A vault's first opening: the key must be in the state's file before any row is. */
static kw_status load_key(struct kw_op *op, struct journal *journal)
{
    struct state *state = journal->state;
    static const uint8_t none[KW_HASH_BYTES];

    if (kw_span_equal(KW_SPAN_ARRAY(state->journal_key), KW_SPAN_ARRAY(none))) {
        TRY(op, os_random(op, state->journal_key, sizeof(state->journal_key)));
        state->dirty = true;
    }
    return kw_secret_copy(KW_SPAN_ARRAY(state->journal_key), &journal->key);
}

static kw_status open_file(struct kw_op *op, struct journal *journal, const char *path)
{
    struct stat about;
    char head[HEAD_BYTES];

    journal->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    ENSURE(op, journal->fd >= 0 && fstat(journal->fd, &about) == 0 && S_ISREG(about.st_mode),
           KW_E_IO, "cannot open '%s': %s", path, strerror(errno));
    if (about.st_size < HEAD_BYTES) {
        return begin(op, journal); /* cut short while it was begun: there was no row yet */
    }
    ENSURE(op,
           pread(journal->fd, head, sizeof(head), 0) == HEAD_BYTES &&
               kw_span_equal(KW_SPAN_ARRAY(head), kw_span_text(magic)),
           KW_E_INTEGRITY, "'%s' is no journal: restore the vault from its backup", path);
    return prove(op, journal, about.st_size);
}

kw_status journal_open(struct kw_op *op, const char *dir, struct state *state, struct journal **ret)
{
    AUTO(journal) *journal = calloc(1, sizeof(*journal));
    char path[KW_PATH_BYTES];

    ENSURE(op, journal, KW_E_MEMORY, "no memory for the journal");
    journal->fd = -1;
    journal->state = state;
    journal->synced = true;
    TRY(op, os_path_join(op, path, sizeof(path), dir, "journal"));
    TRY(op, load_key(op, journal), "the journal's key");
    TRY(op, open_file(op, journal, path));
    *ret = TAKE(journal);
    return KW_OK;
}
