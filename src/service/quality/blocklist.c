#include "service/quality/blocklist.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "crypto/cert.h"
#include "crypto/weak_key.h"
#include "model/object.h"
#include "os/clock.h"
#include "service/registration/device.h"

enum { WALK_MAX = 4000 }; /* well below a second */

static const struct form {
    const char *prefix; /* may be left out where `bare` */
    enum blocked_kind kind;
    size_t octets;
    bool bare;
} forms[] = {
    {"spki:",    BLOCKED_SPKI,    KW_HASH_BYTES,     true },
    {"number:",  BLOCKED_NUMBER,  KEY_NUMBER_BYTES,  false},
    {"modulus:", BLOCKED_MODULUS, KEY_MODULUS_BYTES, true },
};

static const struct form *form_of(enum blocked_kind kind)
{
    const struct form *found = forms;

    while (found->kind != kind) {
        found++; /* every kind has a row */
    }
    return found;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct kw_span trimmed(struct kw_span line)
{
    while (line.len > 0 && is_blank(line.p[line.len - 1])) {
        line.len--;
    }
    while (line.len > 0 && (*line.p == ' ' || *line.p == '\t')) {
        line = kw_span_sub(line, 1, line.len);
    }
    return line;
}

static kw_status read_digits(struct kw_span digits, size_t octets, struct store_blocked *ret)
{
    char text[2 * KW_HASH_BYTES + 1];
    struct kw_out out = {ret->id, octets, 0};

    if (digits.len != 2 * octets) {
        return KW_FAIL(KW_E_INPUT);
    }
    memcpy(text, digits.p, digits.len);
    text[digits.len] = 0;
    if (!kw_ok(kw_unhex(text, &out)) || out.len != octets) {
        return KW_FAIL(KW_E_INPUT);
    }
    ret->id_len = (uint32_t)octets;
    return KW_OK;
}

kw_status blocklist_parse_line(struct kw_span line, struct store_blocked *ret)
{
    memset(ret, 0, sizeof(*ret));
    line = trimmed(line);
    if (line.len == 0 || *line.p == '#') {
        return KW_OK;
    }
    if (line.len > BLOCKLIST_LINE_MAX || memchr(line.p, 0, line.len)) {
        return KW_FAIL(KW_E_INPUT);
    }
    for (unsigned i = 0; i < KW_COUNT(forms); i++) {
        size_t n = strlen(forms[i].prefix);
        bool named = line.len > n && memcmp(line.p, forms[i].prefix, n) == 0;
        if (!named && !(forms[i].bare && line.len == 2 * forms[i].octets)) {
            continue;
        }
        ret->kind = forms[i].kind;
        return read_digits(named ? kw_span_sub(line, n, line.len) : line, forms[i].octets, ret);
    }
    return KW_FAIL(KW_E_INPUT);
}

/* --- asking ----------------------------------------------------------------------------------- */

kw_status blocklist_find(struct kw_op *op, struct service *service, const struct pubkey *key,
                         bool *ret_blocked, struct store_blocked *ret)
{
    struct key_names names;

    TRY(op, key_names(op, key, &names));
    const struct kw_span spans[BLOCKED_MODULUS] = {
        KW_SPAN_ARRAY(names.spki), KW_SPAN_ARRAY(names.number),
        KW_SPAN(names.modulus, names.has_modulus ? sizeof(names.modulus) : 0)};
    kw_status status = store_blocked_find(op, service->store, spans, ret);
    *ret_blocked = kw_ok(status);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    return status;
}

/* --- whom it hits ----------------------------------------------------------------------------- */

static void note_hit(struct blocklist_report *report, const struct store_cert *cert)
{
    report->n_hits++;
    if (report->n_told >= BLOCKLIST_HITS_MAX) {
        return;
    }
    struct blocklist_hit *hit = &report->hits[report->n_told++];
    KW_TEXT_SET(hit->owner, cert->owner);
    KW_TEXT_SET(hit->ca, cert->ca);
    KW_TEXT_SET(hit->profile, cert->profile);
    kw_hex(KW_SPAN(cert->serial, cert->serial_len), hit->serial, sizeof(hit->serial));
    hit->state = cert->state;
}

/* The certificates of one key, by its owner. */
static kw_status note_key(struct kw_op *op, struct service *service,
                          const uint8_t id[KW_HASH_BYTES], struct blocklist_report *report)
{
    struct store_pubkey key;
    struct store_cert cert;

    TRY(op, store_pubkey_get(op, service->store, id, &key));
    struct store_cert_filter filter = {.owner = key.owner};
    for (;;) {
        unsigned n = 0;
        TRY(op, store_cert_list(op, service->store, &filter, 1, &cert, &n));
        if (n == 0) {
            return KW_OK;
        }
        filter.after_row = cert.row;
        if (memcmp(cert.pubkey, id, KW_HASH_BYTES) == 0 && cert.state != CERT_STATE_REVOKED) {
            note_hit(report, &cert);
        }
    }
}

static kw_status note_spki(struct kw_op *op, struct service *service,
                           const struct store_blocked *blocked, struct blocklist_report *report)
{
    uint8_t id[KW_HASH_BYTES];
    kw_status status =
        store_pubkey_like(op, service->store, KW_SPAN(blocked->id, blocked->id_len), id);

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    return note_key(op, service, id, report);
}

static kw_status look_at(struct kw_op *op, struct service *service, const struct store_cert *cert,
                         struct blocklist_report *report)
{
    struct store_blocked found;
    bool blocked = false;
    AUTO(cert) *parsed = NULL;

    if (cert->state == CERT_STATE_REVOKED || cert->der_len == 0) {
        return KW_OK;
    }
    TRY(op, cert_parse(op, KW_SPAN(cert->der, cert->der_len), &parsed));
    TRY(op, blocklist_find(op, service, cert_public(parsed), &blocked, &found));
    if (blocked) {
        note_hit(report, cert);
    }
    return KW_OK;
}

kw_status blocklist_walk(struct kw_op *op, struct service *service, int64_t *after,
                         struct blocklist_report *ret)
{
    struct store_cert_filter filter = {.after_row = *after};
    struct store_cert cert;

    memset(ret, 0, sizeof(*ret));
    for (; ret->lines < WALK_MAX && ret->n_told < BLOCKLIST_HITS_MAX; ret->lines++) {
        unsigned n = 0;
        TRY(op, store_cert_list(op, service->store, &filter, 1, &cert, &n));
        if (n == 0) {
            *after = 0;
            return KW_OK;
        }
        filter.after_row = *after = cert.row;
        TRY(op, look_at(op, service, &cert, ret));
    }
    return KW_OK;
}

/* --- adding ----------------------------------------------------------------------------------- */

struct addition {
    struct service *service;
    const char *list;
    struct kw_span text; /* this chunk's lines */
    struct blocklist_report *report;
    uint64_t added, known;
    struct event entry; /* the log's, as it is filled */
    size_t len;         /* of what stands in it */
};

static bool next_line(struct kw_span *rest, struct kw_span *ret)
{
    if (rest->len == 0) {
        return false;
    }
    const uint8_t *end = memchr(rest->p, '\n', rest->len);
    size_t n = end ? (size_t)(end - rest->p) : rest->len;
    *ret = kw_span_sub(*rest, 0, n);
    *rest = kw_span_sub(*rest, end ? n + 1 : n, rest->len);
    return true;
}

static kw_status record_entry(struct kw_op *op, struct addition *it, struct store_txn *txn)
{
    if (it->len == 0) {
        return KW_OK;
    }
    it->entry.type = EVENT_KEY_BLOCK;
    object_write(OBJECT_BLOCKLIST, it->list, it->entry.object);
    kw_status status = service_record(op, it->service, txn, &it->entry);
    memset(&it->entry, 0, sizeof(it->entry));
    it->len = 0;
    return status;
}

/* The log names every key, as lines of a list do, as many as an entry holds: after a restore it
 * tells what was blocked. */
static kw_status tell(struct kw_op *op, struct addition *it, struct store_txn *txn,
                      const struct store_blocked *blocked)
{
    char hex[2 * KW_HASH_BYTES + 1], text[sizeof(hex) + 16];

    kw_hex(KW_SPAN(blocked->id, blocked->id_len), hex, sizeof(hex));
    int n = snprintf(text, sizeof(text), "%s%s ", form_of(blocked->kind)->prefix, hex);
    if (it->len + (size_t)n >= sizeof(it->entry.detail)) {
        TRY(op, record_entry(op, it, txn));
    }
    memcpy(it->entry.detail + it->len, text, (size_t)n + 1);
    it->len += (size_t)n;
    return KW_OK;
}

static kw_status add_in(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct addition *it = ctx;
    struct kw_span rest = it->text, line;
    int64_t now_ms = os_clock_unix_ms();

    it->added = it->known = it->len = 0;
    memset(&it->entry, 0, sizeof(it->entry));
    while (next_line(&rest, &line)) {
        struct store_blocked blocked;
        bool is_new = false;
        TRY(op, blocklist_parse_line(line, &blocked));
        if (blocked.kind == 0) {
            continue;
        }
        KW_TEXT_SET(blocked.list, it->list);
        blocked.added_ms = now_ms;
        TRY(op, store_blocked_add(op, txn, &blocked, &is_new));
        it->added += is_new;
        it->known += !is_new;
        if (is_new) {
            TRY(op, tell(op, it, txn, &blocked));
        }
    }
    return record_entry(op, it, txn);
}

kw_status blocklist_again(struct kw_op *op, struct store_txn *txn, const struct event *event,
                          uint64_t *ret_added)
{
    const char *at = event->detail, *list = object_name(OBJECT_BLOCKLIST, event->object);
    struct store_blocked blocked;
    bool is_new = false;

    ENSURE(op, list, KW_E_INTEGRITY, "'%.64s' is no block list", event->object);
    for (size_t n = strcspn(at, " "); *at; n = strcspn(at, " ")) {
        ENSURE(op, kw_ok(blocklist_parse_line(KW_SPAN(at, n), &blocked)), KW_E_INTEGRITY,
               "the entry of '%.64s' does not say which keys", event->object);
        at += n + (at[n] == ' ');
        if (blocked.kind == 0) {
            continue;
        }
        KW_TEXT_SET(blocked.list, list);
        blocked.added_ms = event->unix_ms;
        TRY(op, store_blocked_add(op, txn, &blocked, &is_new));
        *ret_added += is_new;
    }
    return KW_OK;
}

/* Look at every line before anything is written. */
static kw_status check_text(struct kw_op *op, struct kw_span text, uint64_t *ret_lines)
{
    struct kw_span rest = text, line;
    struct store_blocked blocked;

    *ret_lines = 0;
    while (next_line(&rest, &line)) {
        (*ret_lines)++;
        ENSURE(op, *ret_lines <= BLOCKLIST_LINES_MAX, KW_E_TOO_LARGE,
               "a list is taken in pieces of at most %d lines", BLOCKLIST_LINES_MAX);
        ENSURE(op, kw_ok(blocklist_parse_line(line, &blocked)), KW_E_INPUT,
               "line %llu is no entry of a block list", (unsigned long long)*ret_lines);
    }
    return KW_OK;
}

kw_status blocklist_add(struct kw_op *op, struct service *service, const char *list,
                        struct kw_span text, struct blocklist_report *ret)
{
    struct addition it = {.service = service, .list = list, .text = text};
    struct kw_span rest = text, line;

    memset(ret, 0, sizeof(*ret));
    TRY(op, device_check_name(op, "the list's name", list));
    TRY(op, check_text(op, text, &ret->lines));
    TRY(op, store_change(op, service->store, add_in, &it), "list '%s'", list);
    ret->added = it.added;
    ret->known = it.known;
    while (next_line(&rest, &line)) {
        struct store_blocked blocked;
        TRY(op, blocklist_parse_line(line, &blocked));
        if (blocked.kind == BLOCKED_SPKI) {
            TRY(op, note_spki(op, service, &blocked, ret));
        }
    }
    return KW_OK;
}
