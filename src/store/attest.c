/* What devices proved of themselves. */
#include "store/attest.h"
#include "store/store_internal.h"

enum {
    ATTEST_GET,
    ATTEST_PUT,
    ATTEST_LIST,
    ATTEST_OF,
    ATTEST_COUNT,
    SESSION_PUT,
    SESSION_GET,
    SESSION_DROP
};

/* The order of columns that row_read() takes. */
#define ATTEST_COLUMNS                                                                             \
    "a.verdict, a.level, a.simulated, a.valid_until_ms, a.reason, a.detail, a.history, a.rounds,"  \
    " a.round_ms, a.trusted_ms, a.nonce_ms, a.root_of_trust, a.bound_ms, a.ek, a.ek_how,"          \
    " a.ek_name, a.ak, a.signer, a.key, a.statement, a.reset_count, a.restart_count, a.clock_ms,"  \
    " a.clock_safe, a.tpm_firmware, a.reference, a.policy_version, a.events, a.pcrs,"              \
    " a.told_until_ms, a.taken, a.before, a.before_until_ms,"                                      \
    " a.ek_issuer, a.ek_serial"

#define ATTEST_PUT_SQL                                                                             \
    "INSERT INTO attest (owner, verdict, level, simulated, valid_until_ms, reason, detail,"        \
    " history, rounds, round_ms, trusted_ms, nonce_ms, root_of_trust, bound_ms, ek, ek_how,"       \
    " ek_name, ak, signer, key, statement, reset_count, restart_count, clock_ms, clock_safe,"      \
    " tpm_firmware, reference, policy_version, events, pcrs, told_until_ms, taken,"                \
    " before, before_until_ms, ek_issuer, ek_serial) VALUES (?1, ?2,"                              \
    " ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,"     \
    " ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36)"                  \
    " ON CONFLICT (owner) DO UPDATE SET"                                                           \
    " verdict = ?2, level = ?3, simulated = ?4, valid_until_ms = ?5, reason = ?6, detail ="        \
    " ?7, history = ?8, rounds = ?9, round_ms = ?10, trusted_ms = ?11, nonce_ms = ?12,"            \
    " root_of_trust = ?13, bound_ms = ?14, ek = ?15, ek_how = ?16, ek_name = ?17, ak = ?18,"       \
    " signer = ?19, key = ?20, statement = ?21, reset_count = ?22, restart_count = ?23,"           \
    " clock_ms = ?24, clock_safe = ?25, tpm_firmware = ?26, reference = ?27, policy_version ="     \
    " ?28, events = ?29, pcrs = ?30, told_until_ms = ?31, taken = ?32, before ="                   \
    " ?33, before_until_ms = ?34, ek_issuer = ?35, ek_serial = ?36"

#define SESSION_PUT_SQL                                                                            \
    "INSERT OR REPLACE INTO attest_session (owner, session, secret, expires_ms, root_of_trust,"    \
    " simulated, ek, ek_how, ek_name, ak, ek_issuer,"                                              \
    " ek_serial) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"

static const char *const sql[] = {
    [ATTEST_GET] = "SELECT " ATTEST_COLUMNS " FROM owner o JOIN attest a ON a.owner = o.id"
                   " WHERE o.text = ?1",
    [ATTEST_PUT] = ATTEST_PUT_SQL,
    [ATTEST_LIST] = "SELECT " ATTEST_COLUMNS ", d.id FROM attest a JOIN device d"
                    " ON d.owner = a.owner WHERE a.owner > coalesce((SELECT id FROM owner"
                    " WHERE text = ?2), 0) AND (?1 = 4 OR a.verdict = ?1)"
                    " ORDER BY a.owner LIMIT ?3",
    [ATTEST_OF] = "SELECT " ATTEST_COLUMNS ", d.id FROM attest a JOIN device d"
                  " ON d.owner = a.owner WHERE a.reference = ?1 AND a.reference <> ''"
                  " AND a.taken = ?2 AND a.verdict = ?3 LIMIT ?4",
    [ATTEST_COUNT] = "SELECT verdict, count(*), sum(verdict = 1 AND valid_until_ms < ?1)"
                     " FROM attest GROUP BY verdict",
    [SESSION_PUT] = SESSION_PUT_SQL,
    [SESSION_GET] = "SELECT session, secret, expires_ms, root_of_trust, simulated, ek, ek_how,"
                    " ek_name, ak, ek_issuer, ek_serial FROM attest_session WHERE owner = ?1",
    [SESSION_DROP] = "DELETE FROM attest_session WHERE owner = ?1",
};
static const struct store_statements statements = {STORE_NOUN_ATTEST, KW_COUNT(sql), sql};
_Static_assert(KW_COUNT(sql) <= STORE_STATEMENTS_MAX, "room in every connection");

/* --- reading ---------------------------------------------------------------------------------- */

static kw_status read_standing(struct kw_op *op, const struct store_rows *rows,
                               struct attest_standing *ret)
{
    char reason[32] = "";

    TRY(op, store_row_text(op, rows, 4, reason, sizeof(reason)));
    *ret = (struct attest_standing){
        .verdict = (enum attest_verdict)store_row_int(rows, 0),
        .valid_until_ms = store_row_int(rows, 3),
        .reason = attest_reason_from_text(reason),
        .history = (uint32_t)store_row_int(rows, 6),
        .round_ms = store_row_int(rows, 8),
        .trusted_ms = store_row_int(rows, 9),
        .taken = (enum attest_taken)store_row_int(rows, 30),
        .before = (enum attest_verdict)store_row_int(rows, 31),
        .before_until_ms = store_row_int(rows, 32),
    };
    return KW_OK;
}

static void read_numbers(const struct store_rows *rows, struct store_attest *ret)
{
    ret->level = (enum attest_level)store_row_int(rows, 1);
    ret->simulated = store_row_int(rows, 2) != 0;
    ret->rounds = (uint64_t)store_row_int(rows, 7);
    ret->nonce_ms = store_row_int(rows, 10);
    ret->bound_ms = store_row_int(rows, 12);
    ret->ek_how = (enum store_ek_how)store_row_int(rows, 14);
    ret->reset_count = (uint32_t)store_row_int(rows, 20);
    ret->restart_count = (uint32_t)store_row_int(rows, 21);
    ret->clock_ms = (uint64_t)store_row_int(rows, 22);
    ret->clock_safe = store_row_int(rows, 23) != 0;
    ret->tpm_firmware = (uint64_t)store_row_int(rows, 24);
    ret->policy_version = (uint64_t)store_row_int(rows, 26);
    ret->events = (uint32_t)store_row_int(rows, 27);
    ret->told_until_ms = store_row_int(rows, 29);
}

static kw_status read_keys(struct kw_op *op, const struct store_rows *rows,
                           struct store_attest *ret)
{
    TRY(op, store_row_fixed(op, rows, 13, ret->ek, sizeof(ret->ek)));
    TRY(op, store_row_fixed(op, rows, 33, ret->ek_issuer, sizeof(ret->ek_issuer)));
    TRY(op,
        store_row_upto(op, rows, 34, ret->ek_serial, sizeof(ret->ek_serial), &ret->ek_serial_len));
    TRY(op, store_row_upto(op, rows, 16, ret->ak, sizeof(ret->ak), &ret->ak_len));
    TRY(op, store_row_upto(op, rows, 17, ret->signer, sizeof(ret->signer), &ret->signer_len));
    TRY(op, store_row_fixed(op, rows, 18, ret->key, sizeof(ret->key)));
    TRY(op, store_row_fixed(op, rows, 19, ret->statement, sizeof(ret->statement)));
    return store_row_fixed(op, rows, 28, ret->pcrs, sizeof(ret->pcrs));
}

static kw_status row_read(struct kw_op *op, const struct store_rows *rows, struct store_attest *ret)
{
    TRY(op, read_standing(op, rows, &ret->standing));
    TRY(op, store_row_text(op, rows, 5, ret->detail, sizeof(ret->detail)));
    TRY(op, store_row_text(op, rows, 11, ret->root_of_trust, sizeof(ret->root_of_trust)));
    TRY(op, store_row_text(op, rows, 15, ret->ek_name, sizeof(ret->ek_name)));
    TRY(op, store_row_text(op, rows, 25, ret->reference, sizeof(ret->reference)));
    read_numbers(rows, ret);
    return read_keys(op, rows, ret);
}

static kw_status get(struct kw_op *op, struct store_conn *conn, const char *device,
                     struct store_attest *ret)
{
    char owner[NAMES_TEXT_MAX] = "";
    AUTO(store_rows) *rows = NULL;

    memset(ret, 0, sizeof(*ret));
    ret->standing.reason = ATTEST_R_NO_ROUND;
    TRY(op, names_device_owner(op, device, owner));
    KW_TEXT_SET(ret->device, device);
    TRY(op, store_first(op, conn, &statements, ATTEST_GET, ARGS(V_TEXT(owner)), &rows),
        "attestation of device '%s'", device);
    return rows ? row_read(op, rows, ret) : KW_OK;
}

kw_status store_attest_get(struct kw_op *op, struct store *store, const char *device,
                           struct store_attest *ret)
{
    AUTO(store_reader) *reader = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    return get(op, reader->conn, device, ret);
}

kw_status store_attest_get_txn(struct kw_op *op, struct store_txn *txn, const char *device,
                               struct store_attest *ret)
{
    return get(op, txn->conn, device, ret);
}

static kw_status read_rows(struct kw_op *op, struct store_rows *rows, unsigned max,
                           struct store_attest *ret, unsigned *ret_n)
{
    bool row = false;
    unsigned n = 0;

    for (; n < max; n++) {
        TRY(op, store_next(op, rows, &row), "listing attestations");
        if (!row) {
            break;
        }
        memset(&ret[n], 0, sizeof(ret[n]));
        TRY(op, row_read(op, rows, &ret[n]));
        TRY(op, store_row_text(op, rows, 35, ret[n].device, sizeof(ret[n].device)));
    }
    *ret_n = n;
    return KW_OK;
}

kw_status store_attest_list(struct kw_op *op, struct store *store, enum attest_verdict verdict,
                            const char *after, unsigned max, struct store_attest *ret,
                            unsigned *ret_n)
{
    char owner[NAMES_TEXT_MAX] = "";
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    if (*after) {
        TRY(op, names_device_owner(op, after, owner));
    }
    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, ATTEST_LIST,
                        ARGS(V_INT(verdict), V_TEXT(owner), V_INT(max)), &rows));
    return read_rows(op, rows, max, ret, ret_n);
}

kw_status store_attest_of_reference(struct kw_op *op, struct store_txn *txn, const char *reference,
                                    enum attest_taken taken, enum attest_verdict verdict,
                                    unsigned max, struct store_attest *ret, unsigned *ret_n)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_query(op, txn->conn, &statements, ATTEST_OF,
                        ARGS(V_TEXT(reference), V_INT(taken), V_INT(verdict), V_INT(max)), &rows));
    return read_rows(op, rows, max, ret, ret_n);
}

kw_status store_attest_count(struct kw_op *op, struct store *store, int64_t now_ms,
                             struct store_attest_counts *ret)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;

    memset(ret, 0, sizeof(*ret));
    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, ATTEST_COUNT, ARGS(V_INT(now_ms)), &rows));
    for (;;) {
        TRY(op, store_next(op, rows, &row), "counting verdicts");
        if (!row) {
            return KW_OK;
        }
        int64_t verdict = store_row_int(rows, 0);
        if (verdict >= 0 && verdict < ATTEST_VERDICT_MAX) {
            ret->n[verdict] = (uint64_t)store_row_int(rows, 1);
            ret->overdue += (uint64_t)store_row_int(rows, 2);
        }
    }
}

/* --- writing ---------------------------------------------------------------------------------- */

static kw_status find_owner(struct kw_op *op, struct store_txn *txn, const char *device,
                            int64_t *ret)
{
    char owner[NAMES_TEXT_MAX] = "";

    TRY(op, names_device_owner(op, device, owner));
    kw_status status = names_find(op, txn, NAMES_OWNER, owner, ret);
    ENSURE(op, status.code != KW_E_NOT_FOUND, KW_E_NOT_FOUND, "no device '%s'", device);
    return status;
}

/* NULL for none. */
static struct store_value octets(const uint8_t *p, uint32_t len)
{
    return len > 0 ? V_BLOB(KW_SPAN(p, len)) : V_NULL;
}

kw_status store_attest_put(struct kw_op *op, struct store_txn *txn, const struct store_attest *row)
{
    const struct attest_standing *s = &row->standing;
    int64_t owner = 0;

    TRY(op, find_owner(op, txn, row->device, &owner));
    kw_status status = store_run(
        op, txn->conn, &statements, ATTEST_PUT,
        ARGS(V_INT(owner), V_INT(s->verdict), V_INT(row->level), V_INT(row->simulated),
             V_INT(s->valid_until_ms), V_TEXT(attest_reason_text(s->reason)), V_TEXT(row->detail),
             V_INT(s->history), V_INT(row->rounds), V_INT(s->round_ms), V_INT(s->trusted_ms),
             V_INT(row->nonce_ms), V_TEXT(row->root_of_trust), V_INT(row->bound_ms),
             store_value_hash(row->ek), V_INT(row->ek_how), V_TEXT(row->ek_name),
             octets(row->ak, row->ak_len), octets(row->signer, row->signer_len),
             store_value_hash(row->key), store_value_hash(row->statement), V_INT(row->reset_count),
             V_INT(row->restart_count), V_INT(row->clock_ms), V_INT(row->clock_safe),
             V_INT(row->tpm_firmware), V_TEXT(row->reference), V_INT(row->policy_version),
             V_INT(row->events), store_value_hash(row->pcrs), V_INT(row->told_until_ms),
             V_INT(s->taken), V_INT(s->before), V_INT(s->before_until_ms),
             store_value_hash(row->ek_issuer), octets(row->ek_serial, row->ek_serial_len)));
    ENSURE(op, status.code != KW_E_CONFLICT, KW_E_CONFLICT,
           "the endorsement key is another device's");
    TRY(op, status, "recording what device '%s' proved", row->device);
    return KW_OK;
}

kw_status store_attest_session_put(struct kw_op *op, struct store_txn *txn,
                                   const struct store_attest_session *session)
{
    int64_t owner = 0;

    TRY(op, find_owner(op, txn, session->device, &owner));
    TRY(op,
        store_run(op, txn->conn, &statements, SESSION_PUT,
                  ARGS(V_INT(owner), store_value_hash(session->session),
                       store_value_hash(session->secret_sha256), V_INT(session->expires_ms),
                       V_TEXT(session->root_of_trust), V_INT(session->simulated),
                       store_value_hash(session->ek), V_INT(session->ek_how),
                       V_TEXT(session->ek_name), V_BLOB(KW_SPAN(session->ak, session->ak_len)),
                       store_value_hash(session->ek_issuer),
                       octets(session->ek_serial, session->ek_serial_len))),
        "attestation of device '%s'", session->device);
    return KW_OK;
}

static kw_status session_read(struct kw_op *op, const struct store_rows *rows,
                              struct store_attest_session *ret)
{
    TRY(op, store_row_fixed(op, rows, 0, ret->session, sizeof(ret->session)));
    TRY(op, store_row_fixed(op, rows, 1, ret->secret_sha256, sizeof(ret->secret_sha256)));
    ret->expires_ms = store_row_int(rows, 2);
    TRY(op, store_row_text(op, rows, 3, ret->root_of_trust, sizeof(ret->root_of_trust)));
    ret->simulated = store_row_int(rows, 4) != 0;
    TRY(op, store_row_fixed(op, rows, 5, ret->ek, sizeof(ret->ek)));
    ret->ek_how = (enum store_ek_how)store_row_int(rows, 6);
    TRY(op, store_row_text(op, rows, 7, ret->ek_name, sizeof(ret->ek_name)));
    TRY(op, store_row_upto(op, rows, 8, ret->ak, sizeof(ret->ak), &ret->ak_len));
    TRY(op, store_row_fixed(op, rows, 9, ret->ek_issuer, sizeof(ret->ek_issuer)));
    return store_row_upto(op, rows, 10, ret->ek_serial, sizeof(ret->ek_serial),
                          &ret->ek_serial_len);
}

kw_status store_attest_session_take(struct kw_op *op, struct store_txn *txn, const char *device,
                                    struct store_attest_session *ret)
{
    AUTO(store_rows) *rows = NULL;
    int64_t owner = 0;

    memset(ret, 0, sizeof(*ret));
    TRY(op, find_owner(op, txn, device, &owner));
    KW_TEXT_SET(ret->device, device);
    TRY(op, store_first(op, txn->conn, &statements, SESSION_GET, ARGS(V_INT(owner)), &rows));
    ENSURE(op, rows, KW_E_NOT_FOUND, "no enrolment of an attestation key is under way");
    TRY(op, session_read(op, rows, ret));
    store_rows_finish(rows);
    rows = NULL;
    return store_run(op, txn->conn, &statements, SESSION_DROP, ARGS(V_INT(owner)));
}
