/* The table of standings, filled from the store. */
#include <stdlib.h>

#include "service/validation/status_table_internal.h"

struct filling {
    struct status_table *table;
    uint32_t *numbers; /* of owners, by the store's id; 0 = none, else number + 1 */
    size_t n;
};

static void filling_done(struct filling *filling)
{
    free(filling->numbers);
}

static kw_status take_owner(struct kw_op *op, void *ctx, int64_t id, const char *owner,
                            enum device_state device, int64_t last_seen_ms)
{
    struct filling *it = ctx;

    ENSURE(op, id > 0 && id < OWNER_IDS_MAX, KW_E_LIMIT, "more than %d owners", OWNER_IDS_MAX);
    if ((size_t)id >= it->n) {
        size_t n = (size_t)id + it->n / 2 + 1024;
        uint32_t *numbers = realloc(it->numbers, n * sizeof(*numbers));
        ENSURE(op, numbers, KW_E_MEMORY, "no memory for %zu owners", n);
        memset(numbers + it->n, 0, (n - it->n) * sizeof(*numbers));
        it->numbers = numbers;
        it->n = n;
    }
    uint32_t number =
        status_owners_put(&it->table->owners, owner, device, last_seen_ms, /* newer= */ false);
    ENSURE(op, number != OWNER_NONE, KW_E_MEMORY, "no memory for owners");
    it->numbers[id] = number + 1;
    return KW_OK;
}

static kw_status take_cert(struct kw_op *op, void *ctx, const struct store_standing *one)
{
    struct filling *it = ctx;
    bool known = one->owner > 0 && (size_t)one->owner < it->n && it->numbers[one->owner] > 0;

    (void)op;
    status_table_put(it->table, &(struct status_arrival){
                                    .serial = one->serial,
                                    .ca = status_name_put(&it->table->cas, one->ca),
                                    .profile = status_name_put(&it->table->profiles, one->profile),
                                    .owner = known ? it->numbers[one->owner] - 1 : OWNER_NONE,
                                    .not_after = status_pack_time(one->not_after),
                                    .revoked = status_pack_time(one->revoked_s),
                                    .standing = status_pack_standing(one->state, one->reason),
                                    .newer = false,
                                });
    return KW_OK;
}

kw_status status_table_fill(struct kw_op *op, struct status_table *table, struct store *store)
{
    __attribute__((cleanup(filling_done))) struct filling it = {.table = table};
    unsigned doubts = atomic_load(&table->doubts);

    /* What is noticed from here on stays; what was noticed before, the store has. */
    atomic_store(&table->filled, false);
    atomic_fetch_add(&table->fills, 1);
    status_table_clear(table);
    TRY(op, store_owner_each(op, store, take_owner, &it), "owners of certificates");
    TRY(op, store_standing_each(op, store, take_cert, &it), "status of certificates");
    atomic_store(&table->filled, true);
    if (atomic_load(&table->doubts) != doubts) {
        atomic_store(&table->filled, false);
        return FAIL(op, KW_E_CONFLICT, "a commit of unknown outcome came in between");
    }
    return KW_OK;
}
