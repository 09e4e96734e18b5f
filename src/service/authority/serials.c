#include "service/authority/serials.h"

#include <pthread.h>
#include <stdlib.h>

enum { FETCH = 128 };

struct stock {
    unsigned n;
    uint8_t at[FETCH][KW_SERIAL_BYTES];
};

struct serial_pool {
    pthread_mutex_t lock; /* held while fetching too: others would only fetch as well */
    struct stock stocks[SERVICE_CAS_MAX];
};

kw_status serials_new(struct kw_op *op, struct serial_pool **ret)
{
    struct serial_pool *pool = calloc(1, sizeof(*pool));

    ENSURE(op, pool, KW_E_MEMORY, "no memory for serial numbers");
    pthread_mutex_init(&pool->lock, NULL);
    *ret = pool;
    return KW_OK;
}

void serials_free(struct serial_pool *pool)
{
    if (pool) {
        pthread_mutex_destroy(&pool->lock);
        free(pool);
    }
}

static kw_status take_locked(struct kw_op *op, struct service *service, const struct ca *ca,
                             uint8_t ret[KW_SERIAL_BYTES])
{
    struct stock *stock = &service->serials->stocks[ca->index];

    if (stock->n == 0) {
        TRY(op,
            keeper_serials(op, service_keeper(service, ca->key_id), ca->key_id, FETCH, stock->at),
            "serial numbers of CA '%s'", ca->id);
        stock->n = FETCH;
    }
    stock->n--;
    memcpy(ret, stock->at[stock->n], KW_SERIAL_BYTES);
    return KW_OK;
}

kw_status serials_take(struct kw_op *op, struct service *service, const struct ca *ca,
                       uint8_t ret[KW_SERIAL_BYTES])
{
    pthread_mutex_lock(&service->serials->lock);
    kw_status status = take_locked(op, service, ca, ret);
    pthread_mutex_unlock(&service->serials->lock);
    return status;
}

void serials_drop(struct service *service, const struct ca *ca)
{
    pthread_mutex_lock(&service->serials->lock);
    service->serials->stocks[ca->index].n = 0;
    pthread_mutex_unlock(&service->serials->lock);
}
