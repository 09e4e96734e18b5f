#include "service/registration/station.h"

#include <stdio.h>

#include "model/object.h"
#include "os/clock.h"
#include "service/registration/device.h"

struct station_change {
    struct service *service;
    struct store_grant grant;
    struct event event;
};

static kw_status prepare(struct kw_op *op, const char *station, const char *product,
                         struct station_change *change)
{
    struct event *event = &change->event;

    TRY(op, device_check_name(op, "the station", station));
    TRY(op, device_check_name(op, "the product", product));
    KW_TEXT_SET(change->grant.station, station);
    KW_TEXT_SET(change->grant.product, product);
    change->grant.granted_ms = os_clock_unix_ms();
    object_write(OBJECT_STATION, station, event->object);
    (void)snprintf(event->detail, sizeof(event->detail), "devices of product %.80s", product);
    return KW_OK;
}

static kw_status put_grant(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct station_change *change = ctx;

    TRY(op, store_station_grant(op, txn, &change->grant));
    return service_record(op, change->service, txn, &change->event);
}

kw_status station_grant(struct kw_op *op, struct service *service, const char *station,
                        const char *product)
{
    struct station_change change = {.service = service, .event = {.type = EVENT_STATION_GRANT}};

    TRY(op, prepare(op, station, product, &change));
    return store_change(op, service->store, put_grant, &change);
}

static kw_status take_grant(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct station_change *change = ctx;

    TRY(op, store_station_end(op, txn, change->grant.station, change->grant.product));
    return service_record(op, change->service, txn, &change->event);
}

kw_status station_end(struct kw_op *op, struct service *service, const char *station,
                      const char *product)
{
    struct station_change change = {.service = service, .event = {.type = EVENT_STATION_END}};

    TRY(op, prepare(op, station, product, &change));
    return store_change(op, service->store, take_grant, &change);
}
