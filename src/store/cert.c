#include "store/cert_row.h"
#include "store/store_internal.h"
#include "store/subject.h"

enum {
    CERT_INSERT,
    CERT_INSERT_BODY,
    CERT_STATE,
    CERT_SET_STATE,
    CERT_BY_SERIAL,
    CERT_BY_FINGERPRINT,
    CERT_BY_CSR,
    CERT_STATUS
};

static const char *const sql[] = {
    [CERT_INSERT] = "INSERT INTO cert (row, ca, serial8, serial, owner, csr4, profile, state,"
                    " not_before, not_after, revoked_s, reason, issued_ms, shard)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    [CERT_INSERT_BODY] = "INSERT INTO cert_body (row, fingerprint8, fingerprint, csr, pubkey,"
                         " subject, der, owner) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [CERT_STATE] =
        "SELECT c.state, c.revoked_s, c.held_over, c.serial, a.text, c.shard, c.not_after"
        " FROM cert c JOIN name a ON a.id = c.ca WHERE c.row = ?1",
    [CERT_SET_STATE] = "UPDATE cert SET state = ?2, revoked_s = ?3, reason = ?4, held_over = ?5"
                       " WHERE row = ?1",
    [CERT_BY_SERIAL] = CERT_WHOLE "WHERE c.serial8 = ?1 AND c.serial = ?2"
                                  " AND (?3 IS NULL OR a.text = ?3) ORDER BY c.row LIMIT 1",
    [CERT_BY_FINGERPRINT] = CERT_WHOLE "WHERE b.fingerprint8 = ?1 AND b.fingerprint = ?2",
    [CERT_BY_CSR] = CERT_WHOLE "WHERE c.owner = ?1 AND c.csr4 = ?2 AND b.csr = ?3"
                               " ORDER BY c.row DESC LIMIT 1",
    /* Pages are what it costs: the owner's text comes from the device's row where there is one. */
    [CERT_STATUS] = "SELECT c.row, c.state, c.not_before, c.not_after, c.revoked_s, c.reason,"
                    " CASE WHEN d.id IS NOT NULL THEN 'device:' || d.id"
                    " ELSE (SELECT text FROM owner WHERE id = c.owner) END, p.text, d.state"
                    " FROM cert c JOIN name p ON p.id = c.profile JOIN name a ON a.id = c.ca"
                    " LEFT JOIN device d ON d.owner = c.owner"
                    " WHERE c.serial8 = ?1 AND c.serial = ?2 AND a.text = ?3",
};
static const struct store_statements statements = {STORE_NOUN_CERT, KW_COUNT(sql), sql};
_Static_assert(KW_COUNT(sql) <= STORE_STATEMENTS_MAX, "room in every connection");

/* 4 octets tell a few requests of one owner apart. */
static int64_t csr4(const uint8_t csr[KW_HASH_BYTES])
{
    return (int64_t)csr[0] << 24 | csr[1] << 16 | csr[2] << 8 | csr[3];
}

static bool is_state(enum cert_state state)
{
    return state >= CERT_STATE_VALID && state <= CERT_STATE_REVOKED;
}

static kw_status check(struct kw_op *op, const struct store_cert *cert)
{
    ENSURE(op, is_state(cert->state), KW_E_INPUT, "%d is no state of a certificate",
           (int)cert->state);
    ENSURE(op, cert->serial_len > 0 && cert->serial_len <= KW_SERIAL_MAX, KW_E_INPUT,
           "a serial number has 1 to %d octets", KW_SERIAL_MAX);
    bool known_by_log = cert->state == CERT_STATE_HELD || cert->state == CERT_STATE_REVOKED;
    ENSURE(op, (cert->der_len > 0 || known_by_log) && cert->der_len <= KW_CERT_MAX, KW_E_INPUT,
           "a certificate has 1 to %d octets", KW_CERT_MAX);
    ENSURE(op, cert->ca[0] != '\0' && cert->owner[0] != '\0', KW_E_INPUT,
           "a certificate needs a CA and an owner");
    return KW_OK;
}

static kw_status insert_row(struct kw_op *op, struct store_txn *txn, const struct store_cert *cert,
                            int64_t row)
{
    struct kw_span serial = KW_SPAN(cert->serial, cert->serial_len);
    int64_t ca = 0, owner = 0, profile = 0;

    TRY(op, names_id(op, txn, NAMES_NAME, cert->ca, &ca));
    TRY(op, names_id(op, txn, NAMES_OWNER, cert->owner, &owner));
    TRY(op, names_id(op, txn, NAMES_NAME, cert->profile, &profile));
    TRY(op, subject_note(op, txn, cert->subject, owner));
    return store_run(op, txn->conn, &statements, CERT_INSERT,
                     ARGS(V_INT(row), V_INT(ca), V_INT(store_key_head(serial)), V_BLOB(serial),
                          V_INT(owner), V_INT(csr4(cert->csr)), V_INT(profile), V_INT(cert->state),
                          V_INT(cert->not_before), V_INT(cert->not_after), V_INT(cert->revoked_s),
                          V_INT(cert->reason), V_INT(cert->issued_ms), V_INT(cert->shard)));
}

static kw_status insert_body(struct kw_op *op, struct store_txn *txn, const struct store_cert *cert,
                             int64_t row)
{
    return store_run(op, txn->conn, &statements, CERT_INSERT_BODY,
                     ARGS(V_INT(row), V_INT(store_key_head(KW_SPAN_ARRAY(cert->fingerprint))),
                          V_BLOB(KW_SPAN_ARRAY(cert->fingerprint)), store_value_hash(cert->csr),
                          V_BLOB(KW_SPAN_ARRAY(cert->pubkey)), V_TEXT(cert->subject),
                          V_BLOB(KW_SPAN(cert->der, cert->der_len)), V_TEXT(cert->owner)));
}

kw_status store_cert_insert(struct kw_op *op, struct store_txn *txn, struct store_cert *cert)
{
    int64_t row = txn->cert_row + 1;

    TRY(op, check(op, cert));
    TRY(op, insert_row(op, txn, cert, row), "recording the certificate");
    kw_status status = insert_body(op, txn, cert, row);
    if (!kw_ok(status)) {
        txn->spoilt = status; /* half a certificate must not be committed */
    }
    TRY(op, status, "recording the certificate");
    txn->cert_row = row;
    txn->tally[TALLY_CERTS]++;
    txn->tally[TALLY_CERTS_VALID] += cert->state == CERT_STATE_VALID;
    txn->tally[TALLY_CERTS_REVOKED] += cert->state == CERT_STATE_REVOKED;
    cert->row = row;
    return notice_cert(op, txn, cert, /* before= */ 0);
}

/* What of a certificate may change. */
struct standing {
    enum cert_state state;
    int64_t revoked_s, held_over;
    int reason;
};

/* ret_cert: what a notice tells of it beside its standing. */
static kw_status read_state(struct kw_op *op, struct store_txn *txn, int64_t row,
                            struct standing *ret, struct store_cert *ret_cert)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, txn->conn, &statements, CERT_STATE, ARGS(V_INT(row)), &rows));
    ENSURE(op, rows, KW_E_NOT_FOUND, "no certificate %lld", (long long)row);
    *ret = (struct standing){.state = (enum cert_state)store_row_int(rows, 0),
                             .revoked_s = store_row_int(rows, 1),
                             .held_over = store_row_int(rows, 2)};
    struct store_cert *cert = ret_cert;
    TRY(op, store_row_upto(op, rows, 3, cert->serial, sizeof(cert->serial), &cert->serial_len));
    TRY(op, store_row_text(op, rows, 4, cert->ca, sizeof(cert->ca)));
    cert->shard = (uint32_t)store_row_int(rows, 5);
    cert->not_after = store_row_int(rows, 6);
    cert->owner[0] = cert->profile[0] = '\0';
    return KW_OK;
}

/* A hold remembers that it came over a superseded one; a release goes back to that, and a
 * revocation says since when the certificate is not good. */
static void mind_hold(const struct standing *before, struct standing *next)
{
    if (next->state == CERT_STATE_HELD) {
        next->held_over =
            before->state == CERT_STATE_SUPERSEDED ? before->revoked_s : before->held_over;
    } else if (before->state == CERT_STATE_HELD && next->state == CERT_STATE_REVOKED) {
        next->revoked_s = before->revoked_s;
    } else if (before->state == CERT_STATE_HELD && before->held_over > 0) {
        next->state = CERT_STATE_SUPERSEDED;
        next->revoked_s = before->held_over;
        next->reason = REVOKE_SUPERSEDED;
    }
}

kw_status store_cert_set_state(struct kw_op *op, struct store_txn *txn, int64_t row,
                               enum cert_state state, int64_t revoked_s, int reason)
{
    struct standing before = {0}, next = {.state = state, .revoked_s = revoked_s, .reason = reason};
    struct store_cert cert;

    ENSURE(op, is_state(state), KW_E_INPUT, "%d is no state of a certificate", (int)state);
    TRY(op, read_state(op, txn, row, &before, &cert));
    ENSURE(op, before.state != CERT_STATE_REVOKED, KW_E_STATE,
           "certificate %lld is revoked already", (long long)row);
    mind_hold(&before, &next);
    TRY(op,
        store_run(op, txn->conn, &statements, CERT_SET_STATE,
                  ARGS(V_INT(row), V_INT(next.state), V_INT(next.revoked_s), V_INT(next.reason),
                       V_INT(next.held_over))),
        "setting the state of certificate %lld", (long long)row);
    txn->tally[TALLY_CERTS_VALID] +=
        (next.state == CERT_STATE_VALID) - (before.state == CERT_STATE_VALID);
    txn->tally[TALLY_CERTS_REVOKED] += next.state == CERT_STATE_REVOKED;
    cert.state = next.state;
    cert.revoked_s = next.revoked_s;
    cert.reason = next.reason;
    return notice_cert(op, txn, &cert, before.state);
}

static kw_status row_texts(struct kw_op *op, const struct store_rows *rows, struct store_cert *ret)
{
    TRY(op, store_row_text(op, rows, 1, ret->ca, sizeof(ret->ca)));
    TRY(op, store_row_text(op, rows, 3, ret->owner, sizeof(ret->owner)));
    TRY(op, store_row_text(op, rows, 4, ret->profile, sizeof(ret->profile)));
    return store_row_text(op, rows, 14, ret->subject, sizeof(ret->subject));
}

kw_status cert_row_read(struct kw_op *op, const struct store_rows *rows, struct store_cert *ret)
{
    TRY(op, row_texts(op, rows, ret));
    TRY(op, store_row_upto(op, rows, 2, ret->serial, sizeof(ret->serial), &ret->serial_len));
    TRY(op, store_row_fixed(op, rows, 5, ret->pubkey, sizeof(ret->pubkey)));
    TRY(op, store_row_fixed(op, rows, 6, ret->fingerprint, sizeof(ret->fingerprint)));
    TRY(op, store_row_fixed(op, rows, 7, ret->csr, sizeof(ret->csr)));
    TRY(op, store_row_upto(op, rows, 15, ret->der, sizeof(ret->der), &ret->der_len));
    ret->row = store_row_int(rows, 0);
    ret->not_before = store_row_int(rows, 8);
    ret->not_after = store_row_int(rows, 9);
    ret->state = (enum cert_state)store_row_int(rows, 10);
    ret->revoked_s = store_row_int(rows, 11);
    ret->reason = (int)store_row_int(rows, 12);
    ret->issued_ms = store_row_int(rows, 13);
    ret->shard = (uint32_t)store_row_int(rows, 16);
    return KW_OK;
}

/* Run one of the queries that give one certificate. */
static kw_status get(struct kw_op *op, struct store_conn *conn, unsigned number,
                     const struct store_value *args, size_t n_args, struct store_cert *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, conn, &statements, number, args, n_args, &rows),
        "reading a certificate");
    ENSURE(op, rows, KW_E_NOT_FOUND, "no such certificate");
    return cert_row_read(op, rows, ret);
}

kw_status store_cert_by_serial(struct kw_op *op, struct store *store, const char *ca,
                               struct kw_span serial, struct store_cert *ret)
{
    AUTO(store_reader) *reader = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    return get(op, reader->conn, CERT_BY_SERIAL,
               ARGS(V_INT(store_key_head(serial)), V_BLOB(serial), ca ? V_TEXT(ca) : V_NULL), ret);
}

kw_status store_cert_by_serial_txn(struct kw_op *op, struct store_txn *txn, const char *ca,
                                   struct kw_span serial, struct store_cert *ret)
{
    return get(op, txn->conn, CERT_BY_SERIAL,
               ARGS(V_INT(store_key_head(serial)), V_BLOB(serial), V_TEXT(ca)), ret);
}

static kw_status by_fingerprint(struct kw_op *op, struct store_conn *conn,
                                const uint8_t fingerprint[KW_HASH_BYTES], struct store_cert *ret)
{
    return get(op, conn, CERT_BY_FINGERPRINT,
               ARGS(V_INT(store_key_head(KW_SPAN(fingerprint, KW_HASH_BYTES))),
                    V_BLOB(KW_SPAN(fingerprint, KW_HASH_BYTES))),
               ret);
}

kw_status store_cert_by_fingerprint(struct kw_op *op, struct store *store,
                                    const uint8_t fingerprint[KW_HASH_BYTES],
                                    struct store_cert *ret)
{
    AUTO(store_reader) *reader = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    return by_fingerprint(op, reader->conn, fingerprint, ret);
}

kw_status store_cert_by_fingerprint_txn(struct kw_op *op, struct store_txn *txn,
                                        const uint8_t fingerprint[KW_HASH_BYTES],
                                        struct store_cert *ret)
{
    return by_fingerprint(op, txn->conn, fingerprint, ret);
}

kw_status store_cert_by_csr_txn(struct kw_op *op, struct store_txn *txn, const char *owner,
                                const uint8_t csr[KW_HASH_BYTES], struct store_cert *ret)
{
    int64_t id = 0;
    kw_status status = names_find(op, txn, NAMES_OWNER, owner, &id);

    ENSURE(op, status.code != KW_E_NOT_FOUND, KW_E_NOT_FOUND, "no such certificate");
    TRY(op, status);
    return get(op, txn->conn, CERT_BY_CSR,
               ARGS(V_INT(id), V_INT(csr4(csr)), V_BLOB(KW_SPAN(csr, KW_HASH_BYTES))), ret);
}

kw_status store_cert_status(struct kw_op *op, struct store *store, const char *ca,
                            struct kw_span serial, struct store_cert_status *ret)
{
    struct store_cert_status found;
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op,
        store_first(op, reader->conn, &statements, CERT_STATUS,
                    ARGS(V_INT(store_key_head(serial)), V_BLOB(serial), V_TEXT(ca)), &rows),
        "reading the status of a certificate");
    ENSURE(op, rows, KW_E_NOT_FOUND, "no such certificate");
    found.row = store_row_int(rows, 0);
    found.state = (enum cert_state)store_row_int(rows, 1);
    found.not_before = store_row_int(rows, 2);
    found.not_after = store_row_int(rows, 3);
    found.revoked_s = store_row_int(rows, 4);
    found.reason = (int)store_row_int(rows, 5);
    TRY(op, store_row_text(op, rows, 6, found.owner, sizeof(found.owner)));
    TRY(op, store_row_text(op, rows, 7, found.profile, sizeof(found.profile)));
    found.device = (enum device_state)store_row_int(rows, 8);
    *ret = found;
    return KW_OK;
}
