/* Names and owners as numbers: a certificate row is 70 octets instead of 250. */
#include <stdio.h>

#include "store/txn.h"

enum { FIND_NAME, FIND_OWNER, ADD_NAME, ADD_OWNER };

static const char *const sql[] = {
    [FIND_NAME] = "SELECT id FROM name WHERE text = ?1",
    [FIND_OWNER] = "SELECT id FROM owner WHERE text = ?1",
    [ADD_NAME] = "INSERT INTO name (text) VALUES (?1) RETURNING id",
    [ADD_OWNER] = "INSERT INTO owner (text) VALUES (?1) RETURNING id",
};
static const struct store_statements statements = {STORE_NOUN_NAME, KW_COUNT(sql), sql};

static const struct {
    unsigned find, add;
} by_kind[] = {
    [NAMES_NAME] = {FIND_NAME,  ADD_NAME },
    [NAMES_OWNER] = {FIND_OWNER, ADD_OWNER},
};

/* FNV-1a */
static unsigned place_of(enum names_kind kind, const char *text)
{
    uint32_t hash = 2166136261U + (uint32_t)kind;

    for (const char *p = text; *p; p++) {
        hash = (hash ^ (uint8_t)*p) * 16777619U;
    }
    return hash % NAMES_CACHED;
}

static kw_status read_id(struct kw_op *op, struct store_txn *txn, unsigned number, const char *text,
                         int64_t *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, txn->conn, &statements, number, ARGS(V_TEXT(text)), &rows));
    if (!rows) {
        return KW_FAIL(KW_E_NOT_FOUND);
    }
    *ret = store_row_int(rows, 0);
    return KW_OK;
}

static kw_status look_up(struct kw_op *op, struct store_txn *txn, enum names_kind kind,
                         const char *text, bool add, int64_t *ret)
{
    unsigned place = place_of(kind, text);

    if (txn->names.at[place].kind == kind && strcmp(txn->names.at[place].text, text) == 0) {
        *ret = txn->names.at[place].id;
        return KW_OK;
    }
    kw_status status = read_id(op, txn, by_kind[kind].find, text, ret);
    if (add && status.code == KW_E_NOT_FOUND) {
        status = read_id(op, txn, by_kind[kind].add, text, ret);
    }
    if (kw_ok(status) && KW_TEXT_SET(txn->names.at[place].text, text)) {
        txn->names.at[place].kind = kind;
        txn->names.at[place].id = *ret;
    } else if (kw_ok(status)) {
        txn->names.at[place].kind = 0; /* too long for the cache */
    }
    return status;
}

kw_status names_id(struct kw_op *op, struct store_txn *txn, enum names_kind kind, const char *text,
                   int64_t *ret)
{
    return look_up(op, txn, kind, text, /* add= */ true, ret);
}

kw_status names_find(struct kw_op *op, struct store_txn *txn, enum names_kind kind,
                     const char *text, int64_t *ret)
{
    return look_up(op, txn, kind, text, /* add= */ false, ret);
}

kw_status store_owner_known_txn(struct kw_op *op, struct store_txn *txn, const char *owner,
                                bool *ret)
{
    int64_t id = 0;
    kw_status status = names_find(op, txn, NAMES_OWNER, owner, &id);

    *ret = kw_ok(status);
    return status.code == KW_E_NOT_FOUND ? KW_OK : status;
}

void names_forget(struct names_cache *cache)
{
    for (unsigned i = 0; i < NAMES_CACHED; i++) {
        cache->at[i].kind = 0;
    }
}

kw_status names_device_owner(struct kw_op *op, const char *id, char owner[NAMES_TEXT_MAX])
{
    int n = snprintf(owner, NAMES_TEXT_MAX, "device:%s", id);

    ENSURE(op, id[0] != '\0' && n > 0 && n < NAMES_TEXT_MAX, KW_E_INPUT,
           "a device id has 1 to %d octets", KW_NAME_MAX - 1);
    return KW_OK;
}
