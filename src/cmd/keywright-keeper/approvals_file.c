/*
 * The file `approvals`: not secret (auditors and operators see all of it), so authenticated rather
 * than encrypted; and never older than the state says.
 */
#include "base/reader.h"
#include "base/writer.h"
#include "cmd/keywright-keeper/approvals.h"
#include "cmd/keywright-keeper/keyring.h"
#include "crypto/digest.h"
#include "crypto/kdf.h"
#include "os/files.h"

static const char magic[] = "KWAPPRV1";
enum {
    FILE_MODE = 0600,
    MAGIC_BYTES = 8,
    SIGNER_MAX = 2 + KW_NAME_MAX + 1 + 8 + KW_HASH_BYTES,
    RECORD_MAX = 2 + APPROVAL_TEXT_MAX + 1 + 8 + 1 + APPROVALS_SIGNERS_MAX * SIGNER_MAX,
    PLAIN_MAX = 8 + 8 + 2 + ROSTER_ENCODED_MAX + 1 + APPROVALS_KEPT_MAX * RECORD_MAX,
    FILE_MAX = MAGIC_BYTES + PLAIN_MAX + KW_HASH_BYTES,
};
static const char next_step[] =
    "restore the whole folder of the vault from its newest backup, never delete 'approvals'";

/* --- plain form ------------------------------------------------------------------------------- */

static void write_signer(struct kw_writer *w, const struct approval_signer *signer)
{
    kw_writer_text(w, signer->name);
    kw_writer_u8(w, (uint8_t)signer->verdict);
    kw_writer_u64(w, (uint64_t)signer->unix_s);
    kw_writer_put(w, KW_SPAN_ARRAY(signer->key));
}

static kw_status write_record(struct kw_writer *w, const struct approval_record *record)
{
    uint8_t octets[APPROVAL_TEXT_MAX];
    struct kw_out text = KW_OUT_ARRAY(octets);

    TRY(NULL, approval_text(&record->what, &text));
    kw_writer_span16(w, kw_out_span(&text));
    kw_writer_u8(w, (uint8_t)record->state);
    kw_writer_u64(w, (uint64_t)record->ended_unix);
    kw_writer_u8(w, (uint8_t)record->n);
    for (unsigned i = 0; i < record->n; i++) {
        write_signer(w, &record->signers[i]);
    }
    return KW_OK;
}

static kw_status write_roster(struct kw_writer *w, const struct approvals *approvals)
{
    uint8_t octets[ROSTER_ENCODED_MAX];
    struct kw_out roster = KW_OUT_ARRAY(octets);

    TRY(NULL, roster_encode(&approvals->roster, &roster));
    kw_writer_span16(w, kw_out_span(&roster));
    return KW_OK;
}

static kw_status write_plain(const struct approvals *approvals, struct kw_out *out)
{
    struct kw_writer w = kw_writer_of(out);

    kw_writer_u64(&w, approvals->version);
    kw_writer_u64(&w, approvals->last_id);
    TRY(NULL, write_roster(&w, approvals));
    kw_writer_u8(&w, (uint8_t)approvals->n);
    for (unsigned i = 0; i < approvals->n; i++) {
        TRY(NULL, write_record(&w, &approvals->at[i]));
    }
    return kw_writer_end(&w);
}

kw_status approvals_encode(const struct approvals *approvals, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *bytes = NULL;

    TRY(NULL, kw_bytes_new(PLAIN_MAX, &bytes));
    struct kw_out out = {.p = bytes->p, .cap = bytes->cap};
    TRY(NULL, write_plain(approvals, &out));
    bytes->len = out.len;
    *ret = TAKE(bytes);
    return KW_OK;
}

static void read_signer(struct kw_reader *r, struct approval_signer *ret)
{
    kw_reader_text(r, ret->name, sizeof(ret->name));
    unsigned verdict = kw_reader_u8(r);
    ret->unix_s = (int64_t)kw_reader_u64(r);
    kw_reader_copy(r, ret->key, sizeof(ret->key));
    if (!approval_name_good(ret->name) || verdict < APPROVAL_REQUEST ||
        verdict >= APPROVAL_VERDICT_MAX) {
        kw_reader_reject(r);
        return;
    }
    ret->verdict = (enum approval_verdict)verdict;
}

static void read_signers(struct kw_reader *r, struct approval_record *ret)
{
    unsigned n = kw_reader_u8(r);

    if (n > APPROVALS_SIGNERS_MAX) {
        kw_reader_reject(r);
        return;
    }
    for (ret->n = 0; ret->n < n; ret->n++) {
        read_signer(r, &ret->signers[ret->n]);
    }
}

/* above: ids rise, so none stands twice. */
static void read_record(struct kw_reader *r, uint64_t above, struct approval_record *ret)
{
    struct kw_span text = kw_reader_span16(r, APPROVAL_TEXT_MAX);
    unsigned state = kw_reader_u8(r);

    ret->ended_unix = (int64_t)kw_reader_u64(r);
    read_signers(r, ret);
    if (r->failed || state < APPROVAL_OPEN || state >= APPROVAL_STATE_MAX ||
        !kw_ok(approval_text_parse(text, &ret->what)) || ret->what.id <= above) {
        kw_reader_reject(r);
        return;
    }
    ret->state = (enum approval_state)state;
}

static void read_records(struct kw_reader *r, struct approvals *ret)
{
    unsigned n = kw_reader_u8(r);
    uint64_t above = 0;

    if (n > APPROVALS_KEPT_MAX) {
        kw_reader_reject(r);
        return;
    }
    for (ret->n = 0; ret->n < n && !r->failed; ret->n++) {
        read_record(r, above, &ret->at[ret->n]);
        above = ret->at[ret->n].what.id;
    }
    if (above > ret->last_id) {
        kw_reader_reject(r);
    }
}

kw_status approvals_decode(struct kw_span encoded, struct approvals *ret)
{
    struct kw_reader r = kw_reader_of(encoded);

    memset(ret, 0, sizeof(*ret));
    ret->version = kw_reader_u64(&r);
    ret->last_id = kw_reader_u64(&r);
    struct kw_span roster = kw_reader_span16(&r, ROSTER_ENCODED_MAX);
    if (r.failed || ret->version == 0 || !kw_ok(roster_decode(roster, &ret->roster))) {
        return KW_FAIL(KW_E_INPUT);
    }
    read_records(&r, ret);
    return kw_reader_end(&r);
}

/* --- the file --------------------------------------------------------------------------------- */

static kw_status mac_of(struct kw_op *op, const struct vault *vault, struct kw_span octets,
                        uint8_t ret[KW_HASH_BYTES])
{
    AUTO(kw_secret) *key = NULL;

    TRY(op, kdf_hkdf_sha256(op, vault->lasting, KW_SPAN_ARRAY(vault->id),
                            kw_span_text("keywright approvals v1"), KW_HASH_BYTES, &key));
    return digest_hmac_sha256(op, key, octets, ret);
}

static kw_status build_file(struct kw_op *op, const struct keyring *keyring, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *plain = NULL;
    AUTO(kw_bytes) *file = NULL;
    uint8_t mac[KW_HASH_BYTES];

    TRY(op, approvals_encode(keyring->approvals, &plain), "encoding the approvals");
    TRY(op, kw_bytes_new(MAGIC_BYTES + plain->len + KW_HASH_BYTES, &file), "memory for approvals");
    TRY(op, kw_bytes_append_text(file, magic));
    TRY(op, kw_bytes_append(file, kw_bytes_span(plain)));
    TRY(op, mac_of(op, &keyring->vault, kw_bytes_span(file), mac));
    TRY(op, kw_bytes_append(file, KW_SPAN_ARRAY(mac)));
    *ret = TAKE(file);
    return KW_OK;
}

static kw_status write_file(struct kw_op *op, const struct keyring *keyring)
{
    AUTO(kw_bytes) *file = NULL;
    char path[KW_PATH_BYTES];

    TRY(op, os_path_join(op, path, sizeof(path), keyring->vault.dir, "approvals"));
    TRY(op, build_file(op, keyring, &file));
    return os_file_write(op, path, FILE_MODE, kw_bytes_span(file));
}

kw_status approvals_save(struct kw_op *op, struct keyring *keyring)
{
    keyring->approvals->version++;
    kw_status status = write_file(op, keyring);
    if (!kw_ok(status) && status.code != KW_E_UNSURE) {
        keyring->approvals->version--;
    }
    TRY(op, status, "writing the approvals");
    keyring->state->approvals = keyring->approvals->version;
    keyring->state->dirty = true;
    status = keyring_save(op, keyring);
    if (!kw_ok(status)) {
        /* The file is in place; only the state does not know it yet. */
        return kw_failed(kw_op_context(op, KW_FAIL(KW_E_UNSURE), __FILE__, __LINE__,
                                       "noting the approvals in the state"));
    }
    return KW_OK;
}

static kw_status check_file(struct kw_op *op, const struct vault *vault, struct kw_span file,
                            struct approvals *ret)
{
    uint8_t mac[KW_HASH_BYTES];

    ENSURE(op, file.len > MAGIC_BYTES + KW_HASH_BYTES, KW_E_INPUT, "too short");
    struct kw_span body = kw_span_sub(file, 0, file.len - KW_HASH_BYTES);
    TRY(op, mac_of(op, vault, body, mac));
    ENSURE(op,
           kw_equal_consttime(KW_SPAN_ARRAY(mac), kw_span_sub(file, body.len, KW_HASH_BYTES)) &&
               kw_span_equal(kw_span_sub(body, 0, MAGIC_BYTES), kw_span_text(magic)),
           KW_E_INPUT, "altered");
    return approvals_decode(kw_span_sub(body, MAGIC_BYTES, body.len), ret);
}

kw_status approvals_load(struct kw_op *op, const struct keyring *keyring, struct approvals *ret)
{
    AUTO(kw_bytes) *file = NULL;
    char path[KW_PATH_BYTES];
    uint64_t known = keyring->state->approvals;

    memset(ret, 0, sizeof(*ret));
    TRY(op, os_path_join(op, path, sizeof(path), keyring->vault.dir, "approvals"));
    if (!os_file_exists(path)) {
        ENSURE(op, known == 0, KW_E_INTEGRITY, "'approvals' is missing from the vault: %s",
               next_step);
        return KW_OK;
    }
    TRY(op, os_file_read(op, path, FILE_MAX, &file), "reading the approvals");
    if (!kw_ok(check_file(op, &keyring->vault, kw_bytes_span(file), ret))) {
        kw_op_clear(op);
        return FAIL(op, KW_E_INTEGRITY, "'approvals' of the vault was altered: %s", next_step);
    }
    ENSURE(op, ret->version >= known, KW_E_INTEGRITY,
           "'approvals' of the vault is older than its state: %s", next_step);
    return KW_OK;
}
