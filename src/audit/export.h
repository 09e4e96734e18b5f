/* A log as files: "checkpoint", "vkey", "successor.2" … (audit/succession.h), "tile/<level>/…",
 * "tile/entries/…". Written for auditors, verified offline. */
#ifndef AUDIT_EXPORT_H
#define AUDIT_EXPORT_H

#include "audit/succession.h"

struct export_result {
    struct checkpoint head;
    uint64_t entries_checked;
    uint64_t tiles_checked;
};

/**
 * Verify a whole exported log with nothing but its files and the public key: checkpoint signature,
 * every entry's leaf hash, every tile, the root. vkey: the log's first key, or any later one; keys
 * that it announced, and those announced by these, are trusted with it. NULL: the file "vkey" of
 * the export is used, which proves integrity but not origin. Errors: KW_E_INTEGRITY with the first
 * entry or tile that does not fit; KW_E_DENIED signature; KW_E_NOT_FOUND file missing.
 */
kw_status export_verify(struct kw_op *op, const char *dir, const char *vkey,
                        struct export_result *ret);
/**
 * Entry bundles: big-endian u16 length and octets, up to 256 of them. each() is called 0 to 256
 * times, i counts from 0. Errors: KW_E_INTEGRITY cut, or more than 256 entries (each() then saw
 * those before); those of each().
 */
kw_status export_bundle_each(struct kw_op *op, struct kw_span bundle,
                             kw_status (*each)(struct kw_op *op, void *ctx, unsigned i,
                                               struct kw_span entry),
                             void *ctx);
/**
 * Call each() for the entries first … size-1 of such a folder, in order; they must have been
 * verified. Errors: those of reading and of each(); KW_E_INTEGRITY a bundle is too short.
 */
kw_status export_entries_each(struct kw_op *op, const char *dir, uint64_t first, uint64_t size,
                              kw_status (*each)(struct kw_op *op, void *ctx, uint64_t index,
                                                struct kw_span entry),
                              void *ctx);
/**
 * A tile reader over such a folder (ctx = the folder's path). Where the partial tile of this width
 * is missing, the full one that has replaced it serves. KW_E_NOT_FOUND; KW_E_INTEGRITY wrong
 * length; KW_E_IO.
 */
kw_status export_tile_read(struct kw_op *op, void *ctx, unsigned level, uint64_t index,
                           unsigned width, struct tlog_hash *ret);
/**
 * Write one file of an export, durably, and the folders it lies in. path: "checkpoint", "vkey" or a
 * tile or bundle as tlog_tile_path() writes it; anything else is refused (KW_E_INPUT), so that a
 * lying server cannot name other files.
 */
kw_status export_write(struct kw_op *op, const char *dir, const char *path, struct kw_span content);

#endif
