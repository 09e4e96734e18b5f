/*
 * A backup as one file (docs/protocol/backup.md): head, sealed chunks, trailer. The content is
 * encrypted under a random key, which is sealed to the recovery key, whose private half exists as
 * shares only. The trailer proves without any key that the server's log speaks of this file.
 *
 *     head     8 "KWBKUP01", 16 id, u64 created (Unix seconds), 32 recovery key, 92 sealed key
 *     chunk    u32 octets | 0x80000000 on the last, ciphertext || tag; all but the last hold
 *              ARCHIVE_CHUNK plain octets; aad of each: SHA-256 of the head
 *     trailer  8 "KWTRAIL1", span32 log entry, u64 its index, u8 n, n * 32 inclusion proof,
 *              span32 checkpoint, text first verifier key, u8 n, n * span32 successors
 *
 * Plain content: members, each u8 1, text name, u32 mode, u64 size, octets; then the manifest:
 * u8 2, u32 n, n * (text name, u64 size, 32 SHA-256); nothing behind it.
 */
#ifndef SERVICE_BACKUP_ARCHIVE_H
#define SERVICE_BACKUP_ARCHIVE_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "base/secret.h"
#include "crypto/box.h"

enum {
    ARCHIVE_ID_BYTES = 16,
    ARCHIVE_SEALED_KEY_BYTES = BOX_OVERHEAD_BYTES + AEAD_KEY_BYTES,
    ARCHIVE_HEAD_BYTES = 8 + ARCHIVE_ID_BYTES + 8 + BOX_KEY_BYTES + ARCHIVE_SEALED_KEY_BYTES,
    ARCHIVE_CHUNK = 64 << 10,
    ARCHIVE_NAME_MAX = 128,
    ARCHIVE_MEMBERS_MAX = 256,
    ARCHIVE_TRAILER_MAX = 1 << 20,
};

struct archive_head {
    uint8_t id[ARCHIVE_ID_BYTES];
    int64_t created_s;
    uint8_t recovery[BOX_KEY_BYTES];
    uint8_t sealed_key[ARCHIVE_SEALED_KEY_BYTES];
};

/* --- writing ---------------------------------------------------------------------------------- */

struct archive_writer; /* over a descriptor that is the caller's */

/* Begin: draws id and key. KW_E_IO, KW_E_FULL here and below. */
kw_status archive_create(struct kw_op *op, int fd, const uint8_t recovery[BOX_KEY_BYTES],
                         int64_t now_s, struct archive_writer **ret);
const struct archive_head *archive_writer_head(const struct archive_writer *writer);
/* name: a relative path of plain parts. KW_E_LIMIT too many; KW_E_INPUT name. */
kw_status archive_add(struct kw_op *op, struct archive_writer *writer, const char *name,
                      uint32_t mode, struct kw_span content);
/* A file; may be long. Its size must not change meanwhile (KW_E_CONFLICT). */
kw_status archive_add_file(struct kw_op *op, struct archive_writer *writer, const char *name,
                           uint32_t mode, const char *path);
/* Manifest and last chunk. ret: SHA-256 of all octets before the trailer, and their number. */
kw_status archive_end(struct kw_op *op, struct archive_writer *writer, uint8_t ret[KW_HASH_BYTES],
                      uint64_t *ret_size);
/* After archive_end(). */
kw_status archive_put_trailer(struct kw_op *op, struct archive_writer *writer,
                              struct kw_span trailer);
void archive_writer_free(struct archive_writer *writer);
KW_OWNED(archive_writer, struct archive_writer, archive_writer_free)

/* --- reading ---------------------------------------------------------------------------------- */

/* What can be seen without any key. */
struct archive_outer {
    struct archive_head head;
    uint64_t chunks;
    uint64_t size;               /* octets before the trailer */
    uint8_t hash[KW_HASH_BYTES]; /* of these */
    struct kw_bytes *trailer;    /* without its magic; owned */
};
void archive_outer_done(struct archive_outer *outer);

/* Walk through the whole file. KW_E_INTEGRITY cut, or not of this form; KW_E_UNSUPPORTED another
 * version; KW_E_IO. */
kw_status archive_scan(struct kw_op *op, int fd, struct archive_outer *ret);
/* The key, by the recovery key's private half. KW_E_DENIED it is another's. */
kw_status archive_open_key(struct kw_op *op, const struct archive_head *head,
                           const struct kw_secret *recovery, struct kw_secret **ret);

struct archive_member {
    char name[ARCHIVE_NAME_MAX];
    uint32_t mode;
    uint64_t size;
    uint8_t hash[KW_HASH_BYTES]; /* set when it ends */
};
/* Who takes the members: begin, data (several times, or never), end; then the next one. What is
 * handed over is authentic, but complete only when archive_read() has returned. */
struct archive_taker {
    kw_status (*begin)(struct kw_op *op, void *ctx, const struct archive_member *member);
    kw_status (*data)(struct kw_op *op, void *ctx, struct kw_span piece);
    kw_status (*end)(struct kw_op *op, void *ctx, const struct archive_member *member);
    void *ctx;
};
/* Decrypt and check everything. KW_E_INTEGRITY. */
kw_status archive_read(struct kw_op *op, int fd, const struct kw_secret *key,
                       const struct archive_taker *taker);

/* The plain content alone, in pieces: for archive_read() and the fuzz target. */
struct archive_members;
kw_status archive_members_new(struct kw_op *op, const struct archive_taker *taker,
                              struct archive_members **ret);
kw_status archive_members_feed(struct kw_op *op, struct archive_members *members,
                               struct kw_span piece);
/* KW_E_INTEGRITY where the manifest has not come, or is another. */
kw_status archive_members_end(struct kw_op *op, struct archive_members *members);
void archive_members_free(struct archive_members *members);
KW_OWNED(archive_members, struct archive_members, archive_members_free)

/* A relative path of letters, digits and "-_." with slashes; no part begins with a dot. */
bool archive_name_valid(const char *name);
void archive_head_encode(const struct archive_head *head, uint8_t ret[ARCHIVE_HEAD_BYTES]);

#endif
