/* The plain content of a backup, taken apart as it comes. */
#include <stdlib.h>

#include "base/reader.h"
#include "crypto/digest.h"
#include "service/backup/archive.h"

enum { MEMBER = 1, MANIFEST = 2, FIELD_MAX = 2 + ARCHIVE_NAME_MAX + 64 };

enum expects { EXPECTS_KIND, EXPECTS_DATA, EXPECTS_COUNT, EXPECTS_ROW, EXPECTS_NOTHING };

struct archive_members {
    struct archive_taker taker;
    enum expects expects;
    uint8_t field[FIELD_MAX]; /* what came of the present field */
    size_t have;
    uint64_t left; /* of the present member */
    struct digest_stream *hash;
    unsigned n, row;
    struct archive_member at[ARCHIVE_MEMBERS_MAX];
};

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("-_./", c);
}

bool archive_name_valid(const char *name)
{
    if (!*name || strlen(name) >= ARCHIVE_NAME_MAX || name[strlen(name) - 1] == '/') {
        return false;
    }
    for (const char *at = name; *at; at++) {
        bool begins = at == name || at[-1] == '/';
        if (!name_char(*at) || (begins && (*at == '.' || *at == '/'))) {
            return false;
        }
    }
    return true;
}

kw_status archive_members_new(struct kw_op *op, const struct archive_taker *taker,
                              struct archive_members **ret)
{
    struct archive_members *members = calloc(1, sizeof(*members));

    ENSURE(op, members, KW_E_MEMORY, "no memory for a backup");
    members->taker = *taker;
    *ret = members;
    return KW_OK;
}

void archive_members_free(struct archive_members *members)
{
    if (members) {
        digest_stream_free(members->hash);
        free(members);
    }
}

/* Gather the present field up to `want` octets; false: more must come. */
static bool gather(struct archive_members *it, struct kw_span *piece, size_t want)
{
    struct kw_span part = kw_span_sub(*piece, 0, want - it->have);

    if (part.len > 0) { /* an empty piece may be no piece */
        memcpy(it->field + it->have, part.p, part.len);
    }
    it->have += part.len;
    *piece = kw_span_sub(*piece, part.len, piece->len);
    return it->have == want;
}

/* A length, a name, and `more` octets; the first `before` octets come before the length. */
static bool gather_named(struct kw_op *op, struct archive_members *it, struct kw_span *piece,
                         size_t before, size_t more, kw_status *status)
{
    *status = KW_OK;
    if (it->have < before + 2 && !gather(it, piece, before + 2)) {
        return false;
    }
    size_t len = (size_t)it->field[before] << 8 | it->field[before + 1];
    if (len == 0 || len >= ARCHIVE_NAME_MAX) {
        *status = FAIL(op, KW_E_INTEGRITY, "a name of %zu octets", len);
        return false;
    }
    return gather(it, piece, before + 2 + len + more);
}

static kw_status end_member(struct kw_op *op, struct archive_members *it)
{
    struct archive_member *member = &it->at[it->n - 1];

    digest_stream_now(it->hash, member->hash);
    digest_stream_free(TAKE(it->hash));
    it->expects = EXPECTS_KIND;
    return it->taker.end ? it->taker.end(op, it->taker.ctx, member) : KW_OK;
}

static kw_status begin_member(struct kw_op *op, struct archive_members *it)
{
    struct kw_reader r = kw_reader_of(KW_SPAN(it->field + 1, it->have - 1));

    ENSURE(op, it->n < ARCHIVE_MEMBERS_MAX, KW_E_INTEGRITY, "more than %d members",
           ARCHIVE_MEMBERS_MAX);
    struct archive_member *member = &it->at[it->n];
    kw_reader_text(&r, member->name, sizeof(member->name));
    member->mode = kw_reader_u32(&r);
    member->size = it->left = kw_reader_u64(&r);
    ENSURE(op, kw_ok(kw_reader_end(&r)) && archive_name_valid(member->name) && member->mode <= 0777,
           KW_E_INTEGRITY, "a member without a proper name");
    for (unsigned i = 0; i < it->n; i++) {
        ENSURE(op, strcmp(it->at[i].name, member->name) != 0, KW_E_INTEGRITY, "'%s' is there twice",
               member->name);
    }
    it->n++;
    it->have = 0;
    it->expects = EXPECTS_DATA;
    TRY(op, digest_stream_new(op, &it->hash));
    if (it->taker.begin) {
        TRY(op, it->taker.begin(op, it->taker.ctx, member));
    }
    return it->left == 0 ? end_member(op, it) : KW_OK;
}

static kw_status take_kind(struct kw_op *op, struct archive_members *it, struct kw_span *piece)
{
    kw_status status = KW_OK;

    if (it->have == 0 && !gather(it, piece, 1)) {
        return KW_OK;
    }
    if (it->field[0] == MANIFEST) {
        it->have = 0;
        it->expects = EXPECTS_COUNT;
        return KW_OK;
    }
    ENSURE(op, it->field[0] == MEMBER, KW_E_INTEGRITY, "something that is no member");
    return gather_named(op, it, piece, 1, 4 + 8, &status) ? begin_member(op, it) : status;
}

static kw_status take_data(struct kw_op *op, struct archive_members *it, struct kw_span *piece)
{
    size_t most = it->left < piece->len ? (size_t)it->left : piece->len;
    struct kw_span part = kw_span_sub(*piece, 0, most);

    digest_stream_add(it->hash, part);
    if (it->taker.data) {
        TRY(op, it->taker.data(op, it->taker.ctx, part));
    }
    *piece = kw_span_sub(*piece, most, piece->len);
    it->left -= most;
    return it->left == 0 ? end_member(op, it) : KW_OK;
}

static kw_status take_count(struct kw_op *op, struct archive_members *it, struct kw_span *piece)
{
    if (!gather(it, piece, 4)) {
        return KW_OK;
    }
    struct kw_reader r = kw_reader_of(KW_SPAN(it->field, 4));
    ENSURE(op, kw_reader_u32(&r) == it->n, KW_E_INTEGRITY, "the manifest lists another number");
    it->have = 0;
    it->expects = it->n > 0 ? EXPECTS_ROW : EXPECTS_NOTHING;
    return KW_OK;
}

static kw_status take_row(struct kw_op *op, struct archive_members *it, struct kw_span *piece)
{
    const struct archive_member *member = &it->at[it->row];
    char name[ARCHIVE_NAME_MAX];
    uint8_t hash[KW_HASH_BYTES];
    kw_status status = KW_OK;

    if (!gather_named(op, it, piece, 0, 8 + sizeof(hash), &status)) {
        return status;
    }
    struct kw_reader r = kw_reader_of(KW_SPAN(it->field, it->have));
    kw_reader_text(&r, name, sizeof(name));
    bool same = kw_reader_u64(&r) == member->size;
    kw_reader_copy(&r, hash, sizeof(hash));
    same = same && kw_ok(kw_reader_end(&r)) && strcmp(name, member->name) == 0 &&
           memcmp(hash, member->hash, sizeof(hash)) == 0;
    ENSURE(op, same, KW_E_INTEGRITY, "'%s' is not what the manifest says", member->name);
    it->have = 0;
    it->row++;
    it->expects = it->row == it->n ? EXPECTS_NOTHING : EXPECTS_ROW;
    return KW_OK;
}

static kw_status take_nothing(struct kw_op *op, struct archive_members *it, struct kw_span *piece)
{
    (void)it;
    return FAIL(op, KW_E_INTEGRITY, "%zu octets behind the manifest", piece->len);
}

kw_status archive_members_feed(struct kw_op *op, struct archive_members *members,
                               struct kw_span piece)
{
    static kw_status (*const takers[])(struct kw_op *op, struct archive_members *it,
                                       struct kw_span *piece) = {
        [EXPECTS_KIND] = take_kind, [EXPECTS_DATA] = take_data,       [EXPECTS_COUNT] = take_count,
        [EXPECTS_ROW] = take_row,   [EXPECTS_NOTHING] = take_nothing,
    };

    while (piece.len > 0) {
        TRY(op, takers[members->expects](op, members, &piece));
    }
    return KW_OK;
}

kw_status archive_members_end(struct kw_op *op, struct archive_members *members)
{
    ENSURE(op, members->expects == EXPECTS_NOTHING, KW_E_INTEGRITY, "it ends before its manifest");
    return KW_OK;
}
