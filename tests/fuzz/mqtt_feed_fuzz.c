/* What the server answers a broker: snapshot and changes, put into the list of who may connect. */
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "mosquitto/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Good in the list is only what the last word on it called good. */
static void check(const struct table *table, const struct broker_view *view)
{
    struct known known;
    size_t n_good = 0;

    for (unsigned i = 0; i < view->n; i++) {
        const struct broker_item_view *item = &view->at[i];
        bool good = strcmp(item->state, "good") == 0;
        if (table_find(table, item->sha256, &known)) {
            n_good += known.standing == STANDING_GOOD;
        } else if (good) {
            abort();
        }
    }
    if (table_count(table) > n_good) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct broker_view view;
    AUTO(table) *table = NULL;
    bool lowered = false;
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    memset(&view, 0, sizeof(view));
    if (!kw_ok(codec_json_decode(&op, KW_SPAN(data, size), broker_view_fields, broker_view_fields_n,
                                 &view)) ||
        !kw_ok(table_new(&op, &table))) {
        return 0;
    }
    for (unsigned i = 0; i < view.n; i++) {
        if (table_full(table, &view.at[i]) ||
            !kw_ok(table_put(&op, table, &view.at[i], /* now_ms= */ 5000, &lowered))) {
            return 0;
        }
    }
    check(table, &view);
    return 0;
}
