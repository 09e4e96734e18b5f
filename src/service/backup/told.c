/* Which backups there are: the log knows. */
#include <stdio.h>

#include "service/backup/backup.h"
#include "service/event_text.h"

enum { BATCH = 4096 };
static const char BEFORE_KEYS[] = ", secrets of keys:"; /* trailer_detail() */

struct telling {
    const char *key_id;
    unsigned left;
    kw_status (*each)(struct kw_op *op, void *ctx, const struct backup_told *told);
    void *ctx;
};

/* Is the name one of the words? */
static bool has_word(const char *words, const char *name)
{
    size_t n = strlen(name);

    for (const char *at = words; (at = strstr(at, name)) != NULL; at += n) {
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0')) {
            return true;
        }
    }
    return false;
}

static kw_status take_entry(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    static const char type[] = "backup.create";
    struct telling *it = ctx;
    struct backup_told told = {.index = index};
    struct event event;

    if (it->left == 0 || !memmem(entry.p, entry.len, type, sizeof(type) - 1)) {
        return KW_OK;
    }
    TRY(op, event_decode(op, entry, &event));
    char *keys = strstr(event.detail, BEFORE_KEYS);
    if (event.type != EVENT_BACKUP_CREATE || strncmp(event.object, "backup:", 7) != 0 || !keys) {
        return KW_OK;
    }
    *keys = '\0';
    keys += sizeof(BEFORE_KEYS) - 1;
    keys += *keys == ' ';
    KW_TEXT_SET(told.id, event.object + 7);
    KW_TEXT_SET(told.actor, event.actor);
    KW_TEXT_SET(told.detail, event.detail);
    KW_TEXT_SET(told.keys, keys);
    told.made_ms = event.unix_ms;
    if (it->key_id && !has_word(told.keys, it->key_id)) {
        return KW_OK;
    }
    it->left--;
    return it->each(op, it->ctx, &told);
}

kw_status backup_each_told(
    struct kw_op *op, struct service *service, uint64_t from, const char *key_id, unsigned max,
    kw_status (*each)(struct kw_op *op, void *ctx, const struct backup_told *told), void *ctx)
{
    struct telling it = {key_id, max, each, ctx};
    uint64_t size = 0;

    TRY(op, store_log_size(op, service->store, &size), "the log");
    for (; from < size && it.left > 0; from += BATCH) {
        TRY(op, store_log_each(op, service->store, from, BATCH, take_entry, &it));
    }
    return KW_OK;
}
