#include "keeper/journal_row.h"

void keeper_journal_row_encode(struct kw_writer *w, const struct keeper_journal_row *row)
{
    kw_writer_u64(w, row->seq);
    kw_writer_u64(w, (uint64_t)row->time_ms);
    kw_writer_u8(w, (uint8_t)row->kind);
    kw_writer_u8(w, row->what);
    kw_writer_u32(w, row->count);
    kw_writer_put(w, KW_SPAN_ARRAY(row->digest));
    kw_writer_text(w, row->key_id);
    kw_writer_text(w, row->who);
}

static bool what_in_range(unsigned kind, unsigned what)
{
    switch (kind) {
    case KEEPER_JOURNAL_USE:
    case KEEPER_JOURNAL_USES:
        return what > 0 && what < KEEPER_PURPOSE_MAX;
    case KEEPER_JOURNAL_EVENT:
        return what <= KEY_EVENT_MAX; /* the last: it was made */
    case KEEPER_JOURNAL_CUT:
    case KEEPER_JOURNAL_LEARNED:
        return what == 0;
    case KEEPER_JOURNAL_VAULT:
        return what > 0 && what < KEEPER_VAULT_DEED_MAX;
    default:
        return false;
    }
}

void keeper_journal_row_decode(struct kw_reader *r, struct keeper_journal_row *ret)
{
    ret->seq = kw_reader_u64(r);
    ret->time_ms = (int64_t)kw_reader_u64(r);
    unsigned kind = kw_reader_u8(r);
    ret->what = kw_reader_u8(r);
    ret->count = kw_reader_u32(r);
    kw_reader_copy(r, ret->digest, sizeof(ret->digest));
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    kw_reader_text(r, ret->who, sizeof(ret->who));
    if (!what_in_range(kind, ret->what)) {
        kw_reader_reject(r);
        return;
    }
    ret->kind = (enum keeper_journal_kind)kind;
}

static const char *const purposes[KEEPER_PURPOSE_MAX] = {
    [KEEPER_SIGN_CERT] = "certificate",
    [KEEPER_SIGN_CRL] = "CRL",
    [KEEPER_SIGN_OCSP] = "OCSP answer",
    [KEEPER_SIGN_TLS] = "TLS handshake",
    [KEEPER_SIGN_CHECKPOINT] = "checkpoint",
    [KEEPER_SIGN_CERT_REQUEST] = "certificate request",
    [KEEPER_SIGN_CROSS] = "cross certificate",
    [KEEPER_SIGN_STATEMENT] = "statement",
    [KEEPER_SIGN_FIRMWARE] = "firmware",
    [KEEPER_SIGN_TUF] = "TUF metadata",
    [KEEPER_DATA_WRAP] = "wrap",
    [KEEPER_DATA_UNWRAP] = "unwrap",
    [KEEPER_DATA_DERIVE] = "derive",
    [KEEPER_DATA_MAC] = "MAC",
    [KEEPER_DATA_MAC_VERIFY] = "MAC verification",
    [KEEPER_DATA_SEAL] = "seal",
    [KEEPER_DATA_OPEN] = "open",
    [KEEPER_SIGN_CMP] = "CMP answer",
    [KEEPER_KEY_BIRTH] = "key for another",
    [KEEPER_SIGN_TIME] = "time",
    [KEEPER_SIGN_WIPE] = "order to wipe",
};

static const char *const deeds[KEEPER_VAULT_DEED_MAX] = {
    [KEEPER_VAULT_OPENED] = "opened",
    [KEEPER_VAULT_SEALED] = "sealed",
    [KEEPER_VAULT_NEW_SECRET] = "given a new secret",
    [KEEPER_VAULT_CLOCK] = "told that the clock is right",
};

const char *keeper_journal_what(const struct keeper_journal_row *row)
{
    if (row->kind == KEEPER_JOURNAL_VAULT) {
        return row->what < KEEPER_VAULT_DEED_MAX && deeds[row->what] ? deeds[row->what] : "";
    }
    if (row->kind == KEEPER_JOURNAL_EVENT) {
        return row->what == KEY_EVENT_MAX ? "made" : key_event_text((enum key_event)row->what);
    }
    if (row->kind == KEEPER_JOURNAL_LEARNED) {
        return "learned a key of its CA";
    }
    return row->what < KEEPER_PURPOSE_MAX && purposes[row->what] ? purposes[row->what] : "";
}
