#include "store/subject.h"

#include "store/query.h"

enum { SUBJECT_FIND, SUBJECT_ADD };

static const char *const sql[] = {
    [SUBJECT_FIND] = "SELECT 1 FROM subject WHERE cn = ?1 AND text = ?2 AND owner = ?3",
    [SUBJECT_ADD] = "INSERT INTO subject (cn, text, owner) VALUES (?1, ?2, ?3)",
};
static const struct store_statements statements = {STORE_NOUN_SUBJECT, KW_COUNT(sql), sql};

void subject_lower(const char *text, char ret[SUBJECT_MAX])
{
    size_t n = 0;

    for (; text[n] != '\0' && n < SUBJECT_MAX - 1; n++) {
        ret[n] = text[n] >= 'A' && text[n] <= 'Z' ? (char)(text[n] - 'A' + 'a') : text[n];
    }
    ret[n] = '\0';
}

void subject_cn(const char *lower, char ret[SUBJECT_MAX])
{
    const char *at = strstr(lower, "cn=");
    size_t n = 0;

    at = at ? at + 3 : lower;
    for (; at[n] != '\0' && at[n] != ',' && n < SUBJECT_MAX - 1; n++) {
        ret[n] = at[n];
    }
    ret[n] = '\0';
}

bool subject_matches(const char *subject, const char *asked)
{
    char lower[SUBJECT_MAX], cn[SUBJECT_MAX], wanted[SUBJECT_MAX];

    subject_lower(subject, lower);
    subject_lower(asked, wanted);
    if (wanted[0] == '*') {
        return strstr(lower, wanted + 1) != NULL;
    }
    subject_cn(lower, cn);
    return strncmp(cn, wanted, strlen(wanted)) == 0;
}

kw_status subject_note(struct kw_op *op, struct store_txn *txn, const char *subject, int64_t owner)
{
    char lower[SUBJECT_MAX], cn[SUBJECT_MAX];
    AUTO(store_rows) *rows = NULL;

    subject_lower(subject, lower);
    subject_cn(lower, cn);
    TRY(op, store_first(op, txn->conn, &statements, SUBJECT_FIND,
                        ARGS(V_TEXT(cn), V_TEXT(lower), V_INT(owner)), &rows));
    if (rows) {
        return KW_OK;
    }
    return store_run(op, txn->conn, &statements, SUBJECT_ADD,
                     ARGS(V_TEXT(cn), V_TEXT(lower), V_INT(owner)));
}
