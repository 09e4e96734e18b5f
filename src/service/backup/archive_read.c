#include <errno.h>
#include <unistd.h>

#include "base/reader.h"
#include "crypto/chunk.h"
#include "crypto/digest.h"
#include "service/backup/archive.h"

enum { LAST = 1u << 31, PREFIX = 4 };
static const char MAGIC[] = "KWBKUP01", TRAILER[] = "KWTRAIL1";

/* A place in the file; nothing of it is ever read twice by one walk. */
struct source {
    int fd;
    uint64_t at;
    struct digest_stream *hash; /* of what was read, or NULL */
};

/* Up to n octets; *ret_n is less only at the end. */
static kw_status read_some(struct kw_op *op, struct source *source, uint8_t *to, size_t n,
                           size_t *ret_n)
{
    *ret_n = 0;
    while (*ret_n < n) {
        ssize_t got = pread(source->fd, to + *ret_n, n - *ret_n, (off_t)(source->at + *ret_n));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        ENSURE(op, got >= 0, KW_E_IO, "reading the backup: %s", strerror(errno));
        if (got == 0) {
            break;
        }
        *ret_n += (size_t)got;
    }
    source->at += *ret_n;
    if (source->hash) {
        digest_stream_add(source->hash, KW_SPAN(to, *ret_n));
    }
    return KW_OK;
}

static kw_status read_all(struct kw_op *op, struct source *source, uint8_t *to, size_t n)
{
    size_t got = 0;

    TRY(op, read_some(op, source, to, n, &got));
    ENSURE(op, got == n, KW_E_INTEGRITY, "the backup is cut short at octet %llu",
           (unsigned long long)source->at);
    return KW_OK;
}

static kw_status read_head(struct kw_op *op, struct source *source, struct archive_head *ret,
                           uint8_t aad[KW_HASH_BYTES])
{
    uint8_t octets[ARCHIVE_HEAD_BYTES];

    TRY(op, read_all(op, source, octets, sizeof(octets)));
    ENSURE(op, memcmp(octets, MAGIC, 6) == 0, KW_E_INTEGRITY, "this is no backup of Keywright");
    ENSURE(op, memcmp(octets, MAGIC, 8) == 0, KW_E_UNSUPPORTED,
           "a backup of a version that this program does not know");
    struct kw_reader r = kw_reader_of(KW_SPAN(octets + 8, sizeof(octets) - 8));
    kw_reader_copy(&r, ret->id, sizeof(ret->id));
    ret->created_s = (int64_t)kw_reader_u64(&r);
    kw_reader_copy(&r, ret->recovery, sizeof(ret->recovery));
    kw_reader_copy(&r, ret->sealed_key, sizeof(ret->sealed_key));
    TRY(op, kw_reader_end(&r));
    digest_sha256(KW_SPAN_ARRAY(octets), aad);
    return KW_OK;
}

/* One chunk's sealed octets into room (ARCHIVE_CHUNK + tag). All but the last are full. */
static kw_status read_chunk(struct kw_op *op, struct source *source, struct kw_bytes *room,
                            bool *ret_last)
{
    uint8_t prefix[PREFIX];

    TRY(op, read_all(op, source, prefix, sizeof(prefix)));
    struct kw_reader r = kw_reader_of(KW_SPAN_ARRAY(prefix));
    uint32_t mark = kw_reader_u32(&r);
    uint32_t len = mark & ~LAST;
    *ret_last = (mark & LAST) != 0;
    ENSURE(op,
           len >= CHUNK_TAG_BYTES && len <= ARCHIVE_CHUNK + CHUNK_TAG_BYTES &&
               (*ret_last || len == ARCHIVE_CHUNK + CHUNK_TAG_BYTES),
           KW_E_INTEGRITY, "a chunk of %u octets at octet %llu", len,
           (unsigned long long)source->at - PREFIX);
    TRY(op, read_all(op, source, room->p, len));
    room->len = len;
    return KW_OK;
}

static kw_status read_trailer(struct kw_op *op, struct source *source, struct kw_bytes **ret)
{
    uint8_t magic[8], more = 0;
    size_t n = 0;
    AUTO(kw_bytes) *trailer = NULL;

    TRY(op, read_all(op, source, magic, sizeof(magic)), "trailer");
    ENSURE(op, memcmp(magic, TRAILER, sizeof(magic)) == 0, KW_E_INTEGRITY,
           "there is no trailer behind the last chunk");
    TRY(op, kw_bytes_new(ARCHIVE_TRAILER_MAX, &trailer));
    TRY(op, read_some(op, source, trailer->p, ARCHIVE_TRAILER_MAX, &n));
    trailer->len = n;
    TRY(op, read_some(op, source, &more, 1, &n));
    ENSURE(op, n == 0, KW_E_INTEGRITY, "the trailer is too long");
    *ret = TAKE(trailer);
    return KW_OK;
}

void archive_outer_done(struct archive_outer *outer)
{
    kw_bytes_free(outer->trailer);
    outer->trailer = NULL;
}

kw_status archive_scan(struct kw_op *op, int fd, struct archive_outer *ret)
{
    struct source source = {.fd = fd};
    uint8_t aad[KW_HASH_BYTES];
    AUTO(digest_stream) *hash = NULL;
    AUTO(kw_bytes) *room = NULL;
    bool last = false;

    memset(ret, 0, sizeof(*ret));
    TRY(op, digest_stream_new(op, &hash));
    TRY(op, kw_bytes_new(ARCHIVE_CHUNK + CHUNK_TAG_BYTES, &room));
    source.hash = hash;
    TRY(op, read_head(op, &source, &ret->head, aad));
    while (!last) {
        TRY(op, read_chunk(op, &source, room, &last), "chunk %llu",
            (unsigned long long)ret->chunks);
        ret->chunks++;
    }
    ret->size = source.at;
    digest_stream_now(hash, ret->hash);
    source.hash = NULL;
    return read_trailer(op, &source, &ret->trailer);
}

static kw_status feed_chunk(struct kw_op *op, const struct kw_secret *key,
                            const struct chunk_place *place, struct kw_span sealed,
                            struct kw_bytes *plain, struct archive_members *members)
{
    plain->len = 0;
    TRY(op, chunk_open(op, key, place, sealed, plain));
    return archive_members_feed(op, members, kw_bytes_span(plain));
}

kw_status archive_read(struct kw_op *op, int fd, const struct kw_secret *key,
                       const struct archive_taker *taker)
{
    struct source source = {.fd = fd};
    struct archive_head head;
    uint8_t aad[KW_HASH_BYTES];
    struct chunk_place place = {.aad = KW_SPAN_ARRAY(aad)};
    AUTO(kw_bytes) *room = NULL;
    AUTO(kw_bytes) *plain = NULL;
    AUTO(archive_members) *members = NULL;

    TRY(op, kw_bytes_new(ARCHIVE_CHUNK + CHUNK_TAG_BYTES, &room));
    TRY(op, kw_bytes_new(ARCHIVE_CHUNK + 1, &plain));
    TRY(op, archive_members_new(op, taker, &members));
    TRY(op, read_head(op, &source, &head, aad));
    for (; !place.last; place.index++) {
        TRY(op, read_chunk(op, &source, room, &place.last));
        kw_status status = feed_chunk(op, key, &place, kw_bytes_span(room), plain, members);
        kw_wipe(plain->p, plain->cap);
        TRY(op, status, "chunk %llu", (unsigned long long)place.index);
    }
    return archive_members_end(op, members);
}
