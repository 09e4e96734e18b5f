/* What time did to keys, and people to vaults, in the log: nobody asked the server for it. */
#include <stdio.h>

#include "model/object.h"
#include "service/doctor/doctor.h"

enum { PAGE = 48 };

struct page {
    struct service *service;
    const char *vault; /* its name */
    struct keeper_journal_row rows[PAGE];
    unsigned n;
    char mark[48]; /* name of the blob whose version is the last row that was looked at */
    uint64_t last;
};

static bool is_own_step(const struct keeper_journal_row *row)
{
    return row->kind == KEEPER_JOURNAL_EVENT && row->what < KEY_EVENT_MAX &&
           (strcmp(row->who, "clock") == 0 || strcmp(row->who, "keeper") == 0);
}

static kw_status record_step(struct kw_op *op, struct store_txn *txn, struct service *service,
                             const struct keeper_journal_row *row)
{
    static const enum event_type types[KEY_EVENT_MAX] = {
        [KEY_EVENT_ACTIVATE] = EVENT_KEY_ACTIVATE,
        [KEY_EVENT_SUSPEND] = EVENT_KEY_SUSPEND,
        [KEY_EVENT_DEACTIVATE] = EVENT_KEY_DEACTIVATE,
        [KEY_EVENT_COMPROMISE] = EVENT_KEY_COMPROMISE,
        [KEY_EVENT_DESTROY] = EVENT_KEY_DESTROY,
    };
    struct event event = {.type = types[row->what], .unix_ms = row->time_ms};

    KW_TEXT_SET(event.source, "keywright-keeper");
    (void)snprintf(event.actor, sizeof(event.actor), "keeper:%s", row->who);
    object_write(OBJECT_KEY, row->key_id, event.object);
    (void)snprintf(event.detail, sizeof(event.detail),
                   "'%s' by the keeper itself (row %llu of its journal); see the key's history",
                   keeper_journal_what(row), (unsigned long long)row->seq);
    return service_record(op, service, txn, &event);
}

/* By its socket, on the machine: who it was the machine's own records say. */
static kw_status record_deed(struct kw_op *op, struct store_txn *txn, const struct page *page,
                             const struct keeper_journal_row *row)
{
    static const enum event_type types[KEEPER_VAULT_DEED_MAX] = {
        [KEEPER_VAULT_OPENED] = EVENT_VAULT_OPEN,
        [KEEPER_VAULT_SEALED] = EVENT_VAULT_SEAL,
        [KEEPER_VAULT_NEW_SECRET] = EVENT_VAULT_REKEY,
        [KEEPER_VAULT_CLOCK] = EVENT_VAULT_CLOCK,
    };
    struct event event = {.type = types[row->what], .unix_ms = row->time_ms};

    KW_TEXT_SET(event.source, "keywright-keeper");
    KW_TEXT_SET(event.actor, "keeper:person");
    (void)snprintf(event.object, sizeof(event.object), "vault:%.60s", page->vault);
    (void)snprintf(event.detail, sizeof(event.detail),
                   "%s by somebody on the server's machine (row %llu of its journal)",
                   keeper_journal_what(row), (unsigned long long)row->seq);
    return service_record(op, page->service, txn, &event);
}

static kw_status record_page(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct page *page = ctx;

    for (unsigned i = 0; i < page->n; i++) {
        if (is_own_step(&page->rows[i])) {
            TRY(op, record_step(op, txn, page->service, &page->rows[i]));
        }
        if (page->rows[i].kind == KEEPER_JOURNAL_VAULT) {
            TRY(op, record_deed(op, txn, page, &page->rows[i]));
        }
    }
    return store_blob_put(op, txn, page->mark, page->last, kw_span_text("journal"));
}

static kw_status load_mark(struct kw_op *op, struct page *page)
{
    AUTO(kw_bytes) *content = NULL;

    kw_status status = store_blob_get(op, page->service->store, page->mark, &page->last, &content);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        page->last = 0;
        return KW_OK;
    }
    return status;
}

static kw_status look_at_vault(struct kw_op *op, struct service *service, unsigned i)
{
    struct page page = {.service = service, .vault = service->config.vaults[i].name};
    uint64_t end = 0;

    (void)snprintf(page.mark, sizeof(page.mark), "steps:%.31s", service->config.vaults[i].name);
    TRY(op, load_mark(op, &page), "the mark of keys' steps");
    for (;;) {
        kw_status status = keeper_journal_read(op, service->vaults[i], page.last + 1, PAGE,
                                               page.rows, &page.n, &end);
        if (!kw_ok(status)) {
            kw_op_clear(op); /* sealed, or away: the next time */
            return KW_OK;
        }
        if (page.n == 0 && end >= page.last) {
            return KW_OK;
        }
        if (page.n == 0) { /* another vault in its place: after a restore, all is new */
            page.last = 0;
            continue;
        }
        page.last = page.rows[page.n - 1].seq;
        TRY(op, store_change(op, service->store, record_page, &page), "recording keys' steps");
    }
}

kw_status record_own_steps(struct kw_op *op, struct service *service)
{
    for (unsigned i = 0; i < service->n_vaults; i++) {
        TRY(op, look_at_vault(op, service, i), "vault '%s'", service->config.vaults[i].name);
    }
    return KW_OK;
}
