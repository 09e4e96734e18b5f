/* log verbs. The verifier needs only the exported files and the public key; nothing of the server
 * is believed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/export.h"
#include "base/b64.h"
#include "base/hex.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "os/files.h"
#include "service/event_text.h"

enum { ENTRIES = -1 };

kw_status cli_log_tail(struct kw_op *op, struct cli *cli)
{
    char path[64];
    unsigned max = 0;
    AUTO(kw_bytes) *text = NULL;

    TRY(op, cli_number(op, cli, OPT_MAX, 20, 1000, &max));
    (void)snprintf(path, sizeof(path), "/api/v1/log/tail?max=%u", max);
    TRY(op, cli_get(op, cli, path, &text));
    (void)printf("%.*s", (int)text->len, (const char *)text->p);
    return KW_OK;
}

/* --- export ----------------------------------------------------------------------------------- */

static kw_status save(struct kw_op *op, const char *dir, const char *name, struct kw_span content)
{
    char path[KW_PATH_BYTES], folder[KW_PATH_BYTES];

    TRY(op, os_path_join(op, path, sizeof(path), dir, name));
    KW_TEXT_SET(folder, path);
    char *slash = strrchr(folder, '/');
    if (slash) {
        *slash = 0;
        TRY(op, os_dir_make(op, folder, 0755));
    }
    return os_file_write(op, path, 0644, content);
}

static kw_status fetch_tile(struct kw_op *op, struct cli *cli, const char *dir, int level,
                            uint64_t index, unsigned width)
{
    char name[KW_PATH_BYTES], path[KW_URI_MAX];
    AUTO(kw_bytes) *tile = NULL;

    TRY(op, tlog_tile_path(level, index, width, name, sizeof(name)));
    (void)snprintf(path, sizeof(path), "/api/v1/log/%s", name);
    TRY(op, cli_get(op, cli, path, &tile), "%s", name);
    return save(op, dir, name, kw_bytes_span(tile));
}

/* All tiles of one level (or the entry bundles) of a tree with so many hashes (entries) there. */
static kw_status fetch_level(struct kw_op *op, struct cli *cli, const char *dir, int level,
                             uint64_t hashes)
{
    uint64_t full = hashes / TLOG_TILE_WIDTH;
    unsigned width = hashes % TLOG_TILE_WIDTH;

    for (uint64_t i = 0; i < full; i++) {
        TRY(op, fetch_tile(op, cli, dir, level, i, TLOG_TILE_WIDTH));
        if (full > 8 && isatty(STDERR_FILENO)) {
            (void)fprintf(stderr, "\rlevel %d: %" PRIu64 " of %" PRIu64 "   ", level, i + 1, full);
        }
    }
    return width ? fetch_tile(op, cli, dir, level, full, width) : KW_OK;
}

static kw_status fetch_key(struct kw_op *op, struct cli *cli, const char *dir)
{
    struct log_view info = {0};
    char line[CHECKPOINT_VKEY_MAX + 2];
    AUTO(kw_bytes) *json = NULL;

    TRY(op, cli_get(op, cli, "/api/v1/log", &json));
    TRY(op, codec_json_decode(op, kw_bytes_span(json), log_view.fields, log_view.n, &info));
    (void)snprintf(line, sizeof(line), "%s\n", info.vkey);
    return save(op, dir, "vkey", kw_span_text(line));
}

/* The announcements of later keys; after the last one there is none. */
static kw_status fetch_successors(struct kw_op *op, struct cli *cli, const char *dir)
{
    char path[64], name[32];

    for (unsigned n = 2; n <= SUCCESSION_KEYS_MAX; n++) {
        AUTO(kw_bytes) *note = NULL;
        (void)snprintf(path, sizeof(path), "/api/v1/log/successor/%u", n);
        kw_status status = cli_get(op, cli, path, &note);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            return KW_OK;
        }
        TRY(op, status);
        (void)snprintf(name, sizeof(name), "successor.%u", n);
        TRY(op, save(op, dir, name, kw_bytes_span(note)));
    }
    return KW_OK;
}

static kw_status export_to(struct kw_op *op, struct cli *cli, const char *dir,
                           struct checkpoint *ret_head)
{
    AUTO(kw_bytes) *note = NULL;

    TRY(op, cli_get(op, cli, "/api/v1/log/checkpoint", &note));
    TRY(op, checkpoint_parse(op, kw_bytes_span(note), ret_head), "the server's checkpoint");
    TRY(op, os_dir_make(op, dir, 0755));
    TRY(op, fetch_key(op, cli, dir));
    TRY(op, fetch_successors(op, cli, dir));
    TRY(op, fetch_level(op, cli, dir, ENTRIES, ret_head->size));
    for (int level = 0; level < TLOG_LEVELS_MAX && ret_head->size >> (8 * level); level++) {
        TRY(op, fetch_level(op, cli, dir, level, ret_head->size >> (8 * level)));
    }
    return save(op, dir, "checkpoint", kw_bytes_span(note)); /* last: a cut export has none */
}

kw_status cli_log_export(struct kw_op *op, struct cli *cli)
{
    struct checkpoint head;

    ENSURE(op, cli->options[OPT_OUT], KW_E_INPUT, "--out DIR is missing");
    TRY(op, export_to(op, cli, cli->options[OPT_OUT], &head));
    (void)printf("%" PRIu64 " entries of %s are in %s\n", head.size, head.origin,
                 cli->options[OPT_OUT]);
    return KW_OK;
}

/* --- verify ----------------------------------------------------------------------------------- */

/* A loss that was accepted: here the keys that signed what is before were other ones. */
static kw_status print_break(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    const struct cli *cli = ctx;
    struct event event;

    /* entries of other programs are none of ours */
    if (!kw_ok(event_decode(op, entry, &event))) {
        kw_op_clear(op);
        return KW_OK;
    }
    if (event.type == EVENT_LOG_LOSS && !cli->options[OPT_JSON]) {
        (void)printf("break at entry %" PRIu64 ", accepted by %s: %s\n", index, event.actor,
                     event.detail);
    }
    return KW_OK;
}

static kw_status print_result(const struct cli *cli, const struct export_result *result)
{
    char root[2 * KW_HASH_BYTES + 1];

    kw_hex(KW_SPAN_ARRAY(result->head.root.b), root, sizeof(root));
    (void)printf(cli->options[OPT_JSON] ? "{\"ok\":true,\"origin\":\"%s\",\"size\":%" PRIu64
                                          ",\"root\":\"%s\"}\n"
                                        : "log of %s: %" PRIu64
                                          " entries, root %s: signature, entries and tree verify\n",
                 result->head.origin, result->head.size, root);
    return KW_OK;
}

static kw_status verify_dir(struct kw_op *op, struct cli *cli, const char *dir)
{
    struct export_result result;

    TRY(op, export_verify(op, dir, cli->options[OPT_VKEY], &result), "%s", dir);
    TRY(op, print_result(cli, &result));
    return export_entries_each(op, dir, 0, result.head.size, print_break, cli);
}

kw_status cli_log_verify(struct kw_op *op, struct cli *cli)
{
    char dir[] = "/tmp/keywright-log-XXXXXX";
    struct checkpoint head;

    if (cli->n_args == 1) {
        return verify_dir(op, cli, cli->args[0]);
    }
    ENSURE(op, mkdtemp(dir), KW_E_IO, "no folder for the export in /tmp");
    kw_status status = export_to(op, cli, dir, &head);
    if (kw_ok(status)) {
        status = verify_dir(op, cli, dir);
    }
    struct kw_op own;
    kw_op_init(&own, NULL, 0);
    if (!kw_ok(os_tree_remove(&own, dir))) {
        (void)fprintf(stderr, "keywright log verify: %s was left behind\n", dir);
    }
    return status;
}

/* --- prove ------------------------------------------------------------------------------------ */

static kw_status decode_hash(struct kw_op *op, const char *text, struct tlog_hash *ret)
{
    AUTO(kw_bytes) *octets = NULL;

    TRY(op, kw_b64_decode(kw_span_text(text), sizeof(ret->b), &octets), "hash of the proof");
    ENSURE(op, octets->len == sizeof(ret->b), KW_E_INPUT, "a hash of the proof has %zu octets",
           octets->len);
    memcpy(ret->b, octets->p, sizeof(ret->b));
    return KW_OK;
}

static kw_status own_vkey(struct kw_op *op, struct cli *cli, char vkey[CHECKPOINT_VKEY_MAX])
{
    struct log_view info = {0};
    AUTO(kw_bytes) *json = NULL;

    if (cli->options[OPT_VKEY]) {
        ENSURE(op, kw_text_copy(vkey, CHECKPOINT_VKEY_MAX, cli->options[OPT_VKEY]), KW_E_INPUT,
               "--vkey is too long");
        return KW_OK;
    }
    TRY(op, cli_get(op, cli, "/api/v1/log", &json));
    TRY(op, codec_json_decode(op, kw_bytes_span(json), log_view.fields, log_view.n, &info));
    (void)snprintf(vkey, CHECKPOINT_VKEY_MAX, "%s", info.vkey);
    return KW_OK;
}

/* From the key that is trusted to the newest, by the server's announcements. */
static kw_status follow_keys(struct kw_op *op, struct cli *cli, const char *vkey,
                             struct succession *keys)
{
    char path[64];
    bool taken = false;

    TRY(op, succession_begin(op, vkey, keys));
    for (unsigned n = 2; n <= SUCCESSION_KEYS_MAX; n++) {
        AUTO(kw_bytes) *note = NULL;
        (void)snprintf(path, sizeof(path), "/api/v1/log/successor/%u", n);
        kw_status status = cli_get(op, cli, path, &note);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            return KW_OK;
        }
        TRY(op, status);
        TRY(op, succession_take(op, keys, kw_bytes_span(note), &taken));
    }
    return KW_OK;
}

static kw_status check_proof(struct kw_op *op, struct cli *cli, const struct proof_view *proof,
                             struct kw_bytes **ret_entry)
{
    struct tlog_hash path[TLOG_PROOF_MAX];
    struct checkpoint head;
    char vkey[CHECKPOINT_VKEY_MAX];
    struct succession keys;
    AUTO(kw_bytes) *entry = NULL;

    TRY(op, own_vkey(op, cli, vkey));
    TRY(op, follow_keys(op, cli, vkey, &keys));
    TRY(op, succession_verify(op, &keys, kw_span_text(proof->checkpoint), &head), "checkpoint");
    for (unsigned i = 0; i < proof->n; i++) {
        TRY(op, decode_hash(op, proof->hashes[i], &path[i]));
    }
    TRY(op, kw_b64_decode(kw_span_text(proof->entry), KW_LOG_ENTRY_MAX, &entry), "entry");
    struct tlog_hash leaf = tlog_leaf_hash(kw_bytes_span(entry));
    TRY(op, tlog_inclusion_verify(&leaf, proof->index, head.size, path, proof->n, &head.root),
        "the proof of entry %" PRIu64 " does not hold", proof->index);
    *ret_entry = TAKE(entry);
    return KW_OK;
}

kw_status cli_log_prove(struct kw_op *op, struct cli *cli)
{
    char path[KW_URI_MAX];
    struct proof_view proof = {0};
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *entry = NULL;

    (void)snprintf(path, sizeof(path), "/api/v1/log/prove/%.20s", cli->args[0]);
    TRY(op, cli_get(op, cli, path, &json));
    TRY(op, codec_json_decode(op, kw_bytes_span(json), proof_view.fields, proof_view.n, &proof),
        "the server's proof");
    TRY(op, check_proof(op, cli, &proof, &entry));
    if (cli->options[OPT_JSON]) {
        (void)printf("%.*s\n", (int)json->len, (const char *)json->p);
        return KW_OK;
    }
    (void)printf("entry %" PRIu64 " is in the log of %" PRIu64 " entries:\n%.*s\n", proof.index,
                 proof.size, (int)entry->len, (const char *)entry->p);
    return KW_OK;
}
