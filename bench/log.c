/*
 * Row "log append, verify": growing the Merkle tree, and verifying an export (signature, entries,
 * tiles, root), against SHA-256 alone: of the entry, and one node an entry.
 *   KW_BENCH_ENTRIES=50000 (10000000 for the row as written) KW_BENCH_ROUNDS=3
 */
#include <stdio.h>
#include <stdlib.h>

#include "audit/export.h"
#include "bench.h"
#include "crypto/digest.h"

enum { ENTRY = 300, TARGET_ENTRIES = 10000000 };
static const char ORIGIN[] = "localhost/bench";

struct bench {
    char dir[128];
    uint64_t n;
    uint64_t rounds;
    struct tlog_edge edge;
};

static void make_entry(uint64_t no, uint8_t ret[ENTRY])
{
    memset(ret, 'e', ENTRY);
    memcpy(ret, &no, sizeof(no));
}

static double floor_us(uint64_t n)
{
    uint8_t entry[ENTRY], hash[KW_HASH_BYTES], node[65];
    double began_us = bench_thread_cpu_us();

    memset(node, 1, sizeof(node));
    for (uint64_t i = 0; i < n; i++) {
        make_entry(i, entry);
        digest_sha256(KW_SPAN_ARRAY(entry), hash);
        digest_sha256(KW_SPAN_ARRAY(node), hash);
    }
    return (bench_thread_cpu_us() - began_us) / (double)n;
}

static kw_status drop_tile(struct kw_op *op, void *ctx, unsigned level, uint64_t index,
                           const struct tlog_hash hashes[TLOG_TILE_WIDTH])
{
    (void)op;
    (void)ctx;
    (void)level;
    (void)index;
    (void)hashes;
    return KW_OK;
}

static kw_status keep_tile(struct kw_op *op, void *ctx, unsigned level, uint64_t index,
                           const struct tlog_hash hashes[TLOG_TILE_WIDTH])
{
    const struct bench *bench = ctx;
    char path[KW_PATH_BYTES];

    TRY(op, tlog_tile_path((int)level, index, TLOG_TILE_WIDTH, path, sizeof(path)));
    return export_write(op, bench->dir, path, KW_SPAN(hashes, TLOG_TILE_WIDTH * sizeof(*hashes)));
}

static double append_us(struct bench *bench, tlog_full_tile_fn full)
{
    uint8_t entry[ENTRY];
    struct kw_op op;
    double began_us = bench_thread_cpu_us();

    bench_op(&op);
    tlog_edge_init(&bench->edge);
    for (uint64_t i = 0; i < bench->n; i++) {
        make_entry(i, entry);
        struct tlog_hash leaf = tlog_leaf_hash(KW_SPAN_ARRAY(entry));
        bench_need(&op, tlog_edge_append(&op, &bench->edge, &leaf, full, bench), "append");
    }
    return (bench_thread_cpu_us() - began_us) / (double)bench->n;
}

/* --- an export -------------------------------------------------------------------------------- */

static void write_bundles(const struct bench *bench)
{
    uint8_t bundle[TLOG_TILE_WIDTH * (2 + ENTRY)];
    char path[KW_PATH_BYTES];
    struct kw_op op;

    bench_op(&op);
    for (uint64_t i = 0; i < bench->n / TLOG_TILE_WIDTH; i++) {
        for (unsigned at = 0; at < TLOG_TILE_WIDTH; at++) {
            uint8_t *p = bundle + (size_t)at * (2 + ENTRY);
            p[0] = ENTRY >> 8;
            p[1] = ENTRY & 0xff;
            make_entry(i * TLOG_TILE_WIDTH + at, p + 2);
        }
        bench_need(&op, tlog_tile_path(-1, i, TLOG_TILE_WIDTH, path, sizeof(path)), "bundle");
        bench_need(&op, export_write(&op, bench->dir, path, KW_SPAN_ARRAY(bundle)), "bundle");
    }
}

static void write_partial_tiles(const struct bench *bench)
{
    char path[KW_PATH_BYTES];
    struct kw_op op;

    bench_op(&op);
    for (unsigned level = 0; level < TLOG_LEVELS_MAX; level++) {
        unsigned width = bench->edge.width[level];
        if (width == 0) {
            continue;
        }
        uint64_t index = (bench->n >> (8 * level)) / TLOG_TILE_WIDTH;
        struct kw_span span = KW_SPAN(bench->edge.tile[level], width * sizeof(struct tlog_hash));
        bench_need(&op, tlog_tile_path((int)level, index, width, path, sizeof(path)), "tile");
        bench_need(&op, export_write(&op, bench->dir, path, span), "tile");
    }
}

static void write_head(const struct bench *bench)
{
    struct checkpoint head = {.size = bench->n, .root = tlog_edge_root(&bench->edge)};
    char vkey[256];
    struct kw_op op;
    AUTO(privkey) *key = NULL;
    AUTO(kw_bytes) *note = NULL;

    bench_op(&op);
    KW_TEXT_SET(head.origin, ORIGIN);
    bench_need(&op, privkey_generate(&op, KEY_ALG_ED25519, &key), "log key");
    bench_need(&op, checkpoint_sign(&op, &head, key, &note), "checkpoint");
    bench_need(&op, checkpoint_vkey(&op, ORIGIN, privkey_public(key), vkey, sizeof(vkey)), "vkey");
    bench_need(&op, export_write(&op, bench->dir, "checkpoint", kw_bytes_span(note)), "head");
    bench_need(&op, export_write(&op, bench->dir, "vkey", kw_span_text(vkey)), "vkey");
}

static double verify_us(const struct bench *bench)
{
    struct export_result result;
    struct kw_op op;
    double began_us = bench_self_cpu_us();

    bench_op(&op);
    bench_need(&op, export_verify(&op, bench->dir, NULL, &result), "verify");
    if (result.entries_checked != bench->n) {
        bench_die("only %llu entries were checked", (unsigned long long)result.entries_checked);
    }
    return (bench_self_cpu_us() - began_us) / (double)bench->n;
}

int main(void)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct bench_list floor = {0}, append = {0}, verify = {0};

    if (!bench) {
        bench_die("no memory");
    }
    bench->n = bench_setting("KW_BENCH_ENTRIES", 50000) / TLOG_TILE_WIDTH * TLOG_TILE_WIDTH;
    bench->rounds = bench_setting("KW_BENCH_ROUNDS", 3);
    bench_title("log");
    bench_dir_make(bench->dir, sizeof(bench->dir));
    (void)append_us(bench, keep_tile);
    write_bundles(bench);
    write_partial_tiles(bench);
    write_head(bench);
    for (uint64_t i = 0; i < bench->rounds; i++) {
        bench_add(&floor, floor_us(bench->n));
        bench_add(&append, append_us(bench, drop_tile));
        bench_add(&verify, verify_us(bench));
    }
    double base = bench_median(&floor);
    bench_row("append", base, bench_median(&append), bench_median(&append) / base, "none");
    bench_row("verify", base, bench_median(&verify), bench_median(&verify) / base, "none");
    bench_figure("10 million entries verified in", bench_median(&verify) * TARGET_ENTRIES / 1e6,
                 "s (target < 20)");
    bench_list_done(&floor);
    bench_list_done(&append);
    bench_list_done(&verify);
    bench_dir_remove(bench->dir);
    free(bench);
    return EXIT_SUCCESS;
}
