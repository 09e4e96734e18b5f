/* The device's own record of what happened: docs/protocol/device-events.md. Nothing fails because
 * of it: an event that cannot be written is counted as lost. */
#ifndef DEVICE_EVENTS_H
#define DEVICE_EVENTS_H

#include "device/device.h"
#include "device/events_file.h"

/* Record one of the device's own; texts are cut and cleaned to fit. result: "success" or an error's
 * name. */
void events_note(struct device *device, enum device_event_type type, const char *result,
                 const char *detail);
/* Only where the last event of this type has another result; a first "success" is no change. */
void events_note_change(struct device *device, enum device_event_type type, const char *result,
                        const char *detail);
/* A success, once in each start of the machine. */
void events_note_once(struct device *device, enum device_event_type type, const char *detail);
/* What a call came to, which it gives back: success, or a failure that is not just for want of a
 * line. */
kw_status events_note_outcome(struct device *device, enum device_event_type type,
                              const struct kw_op *op, kw_status status, const char *done);
/* Data that was altered, replayed, or another's; gives the status back. */
kw_status events_note_data(struct device *device, const struct kw_op *op, kw_status status);
/* The same of something that failed: the result is the status, the detail op's message. */
void events_note_failed(struct device *device, enum device_event_type type, const struct kw_op *op,
                        kw_status status);
/* The application's. KW_E_INPUT the type is not "app.…"; KW_E_FULL, KW_E_IO it was counted as lost.
 */
kw_status events_note_app(struct kw_op *op, struct device *device, const char *type,
                          const char *result, const char *detail);

/* The log goes on with this id: the server holds events up to it that are not here. */
kw_status events_note_damage(struct kw_op *op, struct device *device, uint64_t id,
                             const char *detail);

#define EVENTS_SENT_FILE "events-sent" /* the last id that the server has, in digits */

struct events_state {
    uint64_t first, last; /* ids here; last 0 = none ever; first = last + 1: none any more */
    uint64_t sent;        /* the server has all up to this */
    uint64_t lost;        /* that could not be written since this device was opened */
    uint8_t head[KW_HASH_BYTES];
};
kw_status events_state(struct kw_op *op, struct device *device, struct events_state *ret);

/* Let the server have all from this id on, in order, over the connection of this identity. */
kw_status events_deliver(struct kw_op *op, struct device *device, enum device_identity as,
                         uint64_t from);

#endif
