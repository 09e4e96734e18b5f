#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/writer.h"
#include "crypto/chunk.h"
#include "crypto/digest.h"
#include "os/files.h"
#include "os/rng.h"
#include "service/backup/archive.h"

enum { MEMBER = 1, MANIFEST = 2, COPY_BYTES = 64 << 10 };
static const char KEY_INFO[] = "keywright backup key v1";

struct archive_writer {
    int fd;
    struct archive_head head;
    uint8_t aad[KW_HASH_BYTES];
    struct kw_secret *key;
    struct kw_bytes *plain;  /* of the chunk to come */
    struct kw_bytes *sealed; /* room */
    struct digest_stream *hash;
    uint64_t index, size;
    unsigned n;
    struct archive_member members[ARCHIVE_MEMBERS_MAX];
};

static kw_status put(struct kw_op *op, struct archive_writer *writer, struct kw_span octets)
{
    digest_stream_add(writer->hash, octets);
    writer->size += octets.len;
    while (octets.len > 0) {
        ssize_t n = write(writer->fd, octets.p, octets.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        ENSURE(op, n > 0, errno == ENOSPC || errno == EDQUOT ? KW_E_FULL : KW_E_IO,
               "writing the backup: %s", strerror(errno));
        octets = kw_span_sub(octets, (size_t)n, octets.len);
    }
    return KW_OK;
}

static kw_status put_chunk(struct kw_op *op, struct archive_writer *writer, struct kw_span plain,
                           bool last)
{
    struct chunk_place place = {writer->index++, last, KW_SPAN_ARRAY(writer->aad)};
    uint32_t mark = (uint32_t)(plain.len + CHUNK_TAG_BYTES) | (last ? UINT32_C(1) << 31 : 0);
    uint8_t length[4] = {(uint8_t)(mark >> 24), (uint8_t)(mark >> 16), (uint8_t)(mark >> 8),
                         (uint8_t)mark};

    writer->sealed->len = 0;
    TRY(op, chunk_seal(op, writer->key, &place, plain, writer->sealed));
    TRY(op, put(op, writer, KW_SPAN_ARRAY(length)));
    return put(op, writer, kw_bytes_span(writer->sealed));
}

/* Full chunks leave at once; one that is just full waits, as it may be the last. */
static kw_status add_plain(struct kw_op *op, struct archive_writer *writer, struct kw_span octets)
{
    while (octets.len > 0) {
        if (writer->plain->len == ARCHIVE_CHUNK) {
            TRY(op, put_chunk(op, writer, kw_bytes_span(writer->plain), /* last= */ false));
            writer->plain->len = 0;
        }
        struct kw_span part = kw_span_sub(octets, 0, ARCHIVE_CHUNK - writer->plain->len);
        TRY(op, kw_bytes_append(writer->plain, part));
        octets = kw_span_sub(octets, part.len, octets.len);
    }
    return KW_OK;
}

void archive_head_encode(const struct archive_head *head, uint8_t ret[ARCHIVE_HEAD_BYTES])
{
    struct kw_out out = {ret, ARCHIVE_HEAD_BYTES, 0};
    struct kw_writer w = kw_writer_of(&out);

    kw_writer_put(&w, kw_span_text("KWBKUP01"));
    kw_writer_put(&w, KW_SPAN_ARRAY(head->id));
    kw_writer_u64(&w, (uint64_t)head->created_s);
    kw_writer_put(&w, KW_SPAN_ARRAY(head->recovery));
    kw_writer_put(&w, KW_SPAN_ARRAY(head->sealed_key));
}

static kw_status make_head(struct kw_op *op, struct archive_writer *writer,
                           const uint8_t recovery[BOX_KEY_BYTES], int64_t now_s)
{
    struct archive_head *head = &writer->head;
    AUTO(kw_bytes) *sealed = NULL;

    head->created_s = now_s;
    memcpy(head->recovery, recovery, BOX_KEY_BYTES);
    TRY(op, os_random(op, head->id, sizeof(head->id)));
    TRY(op, kw_secret_new(AEAD_KEY_BYTES, &writer->key));
    TRY(op, os_random(op, kw_secret_data(writer->key), AEAD_KEY_BYTES));
    TRY(op, box_seal(op, recovery, kw_span_text(KEY_INFO), kw_secret_span(writer->key), &sealed));
    ENSURE(op, sealed->len == sizeof(head->sealed_key), KW_E_INTERNAL, "a sealed key of %zu octets",
           sealed->len);
    memcpy(head->sealed_key, sealed->p, sealed->len);
    return KW_OK;
}

kw_status archive_open_key(struct kw_op *op, const struct archive_head *head,
                           const struct kw_secret *recovery, struct kw_secret **ret)
{
    uint8_t own[BOX_KEY_BYTES];

    TRY(op, box_key_public(op, recovery, own));
    ENSURE(op, memcmp(own, head->recovery, sizeof(own)) == 0, KW_E_DENIED,
           "these shares are of another recovery key than the backup's");
    return box_open(op, recovery, kw_span_text(KEY_INFO), KW_SPAN_ARRAY(head->sealed_key), ret);
}

kw_status archive_create(struct kw_op *op, int fd, const uint8_t recovery[BOX_KEY_BYTES],
                         int64_t now_s, struct archive_writer **ret)
{
    AUTO(archive_writer) *writer = calloc(1, sizeof(*writer));
    uint8_t head[ARCHIVE_HEAD_BYTES];

    ENSURE(op, writer, KW_E_MEMORY, "no memory for a backup");
    writer->fd = fd;
    TRY(op, kw_bytes_new(ARCHIVE_CHUNK, &writer->plain));
    TRY(op, kw_bytes_new(ARCHIVE_CHUNK + CHUNK_TAG_BYTES, &writer->sealed));
    TRY(op, digest_stream_new(op, &writer->hash));
    TRY(op, make_head(op, writer, recovery, now_s));
    archive_head_encode(&writer->head, head);
    digest_sha256(KW_SPAN_ARRAY(head), writer->aad);
    TRY(op, put(op, writer, KW_SPAN_ARRAY(head)));
    *ret = TAKE(writer);
    return KW_OK;
}

const struct archive_head *archive_writer_head(const struct archive_writer *writer)
{
    return &writer->head;
}

/* --- members ---------------------------------------------------------------------------------- */

static kw_status add_head(struct kw_op *op, struct archive_writer *writer, const char *name,
                          uint32_t mode, uint64_t size)
{
    uint8_t room[ARCHIVE_NAME_MAX + 16];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&out);
    struct archive_member *member = &writer->members[writer->n];

    ENSURE(op, writer->n < ARCHIVE_MEMBERS_MAX, KW_E_LIMIT, "a backup holds %d files at most",
           ARCHIVE_MEMBERS_MAX);
    ENSURE(op, archive_name_valid(name) && KW_TEXT_SET(member->name, name), KW_E_INPUT,
           "'%.64s' cannot be in a backup", name);
    member->mode = mode;
    member->size = size;
    writer->n++;
    kw_writer_u8(&w, MEMBER);
    kw_writer_text(&w, name);
    kw_writer_u32(&w, mode);
    kw_writer_u64(&w, size);
    TRY(op, kw_writer_end(&w));
    return add_plain(op, writer, kw_out_span(&out));
}

kw_status archive_add(struct kw_op *op, struct archive_writer *writer, const char *name,
                      uint32_t mode, struct kw_span content)
{
    TRY(op, add_head(op, writer, name, mode, content.len));
    digest_sha256(content, writer->members[writer->n - 1].hash);
    return add_plain(op, writer, content);
}

static kw_status copy_file(struct kw_op *op, struct archive_writer *writer, int fd, uint64_t size)
{
    uint8_t octets[COPY_BYTES];
    AUTO(digest_stream) *hash = NULL;

    TRY(op, digest_stream_new(op, &hash));
    for (uint64_t left = size; left > 0;) {
        ssize_t n = read(fd, octets, left < sizeof(octets) ? (size_t)left : sizeof(octets));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        ENSURE(op, n >= 0, KW_E_IO, "reading: %s", strerror(errno));
        ENSURE(op, n > 0, KW_E_CONFLICT, "it became shorter meanwhile");
        digest_stream_add(hash, KW_SPAN(octets, (size_t)n));
        TRY(op, add_plain(op, writer, KW_SPAN(octets, (size_t)n)));
        left -= (uint64_t)n;
    }
    digest_stream_now(hash, writer->members[writer->n - 1].hash);
    return KW_OK;
}

kw_status archive_add_file(struct kw_op *op, struct archive_writer *writer, const char *name,
                           uint32_t mode, const char *path)
{
    OS_FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    ENSURE(op, fd >= 0, errno == ENOENT ? KW_E_NOT_FOUND : KW_E_IO, "opening %s: %s", path,
           strerror(errno));
    off_t size = lseek(fd, 0, SEEK_END);
    ENSURE(op, size >= 0 && lseek(fd, 0, SEEK_SET) == 0, KW_E_IO, "reading %s: %s", path,
           strerror(errno));
    TRY(op, add_head(op, writer, name, mode, (uint64_t)size));
    TRY(op, copy_file(op, writer, fd, (uint64_t)size), "%s", path);
    return KW_OK;
}

/* --- the end ---------------------------------------------------------------------------------- */

static kw_status add_manifest(struct kw_op *op, struct archive_writer *writer)
{
    uint8_t room[ARCHIVE_NAME_MAX + 64];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&out);

    kw_writer_u8(&w, MANIFEST);
    kw_writer_u32(&w, writer->n);
    TRY(op, add_plain(op, writer, kw_out_span(&out)));
    for (unsigned i = 0; i < writer->n; i++) {
        out.len = 0;
        kw_writer_text(&w, writer->members[i].name);
        kw_writer_u64(&w, writer->members[i].size);
        kw_writer_put(&w, KW_SPAN_ARRAY(writer->members[i].hash));
        TRY(op, add_plain(op, writer, kw_out_span(&out)));
    }
    return kw_writer_end(&w);
}

kw_status archive_end(struct kw_op *op, struct archive_writer *writer, uint8_t ret[KW_HASH_BYTES],
                      uint64_t *ret_size)
{
    TRY(op, add_manifest(op, writer));
    TRY(op, put_chunk(op, writer, kw_bytes_span(writer->plain), /* last= */ true));
    digest_stream_now(writer->hash, ret);
    *ret_size = writer->size;
    return KW_OK;
}

kw_status archive_put_trailer(struct kw_op *op, struct archive_writer *writer,
                              struct kw_span trailer)
{
    ENSURE(op, trailer.len <= ARCHIVE_TRAILER_MAX, KW_E_TOO_LARGE, "a trailer of %zu octets",
           trailer.len);
    TRY(op, put(op, writer, kw_span_text("KWTRAIL1")));
    return put(op, writer, trailer);
}

void archive_writer_free(struct archive_writer *writer)
{
    if (!writer) {
        return;
    }
    kw_secret_free(writer->key);
    if (writer->plain) {
        kw_wipe(writer->plain->p, writer->plain->cap);
    }
    kw_bytes_free(writer->plain);
    kw_bytes_free(writer->sealed);
    digest_stream_free(writer->hash);
    free(writer);
}
