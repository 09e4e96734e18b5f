/* The two files of the device's security events: docs/protocol/device-events.md. */
#ifndef DEVICE_EVENTS_FILE_H
#define DEVICE_EVENTS_FILE_H

#include "base/op.h"
#include "model/device_event.h"

enum { EVENTS_FILE_BYTES = 131072, EVENTS_FILES = 2 };

struct events_file; /* opened and locked against other processes */

struct events_end {
    uint64_t id; /* of the last record; 0 = none was ever written */
    bool any;    /* is `last` one of them? Not where the file began anew behind it */
    struct device_event last;
    uint64_t first; /* id that the oldest record here has; id + 1 where there is none */
};

/* Open the log in this folder, made where absent: then its room is taken, so that a full disk harms
 * nothing later. KW_E_FULL, KW_E_IO; KW_E_UNAVAILABLE another process writes, and does not end. */
kw_status events_file_open(struct kw_op *op, const char *dir, struct events_file **ret);
void events_file_close(struct events_file *file);
KW_OWNED(events_file, struct events_file, events_file_close)

const struct events_end *events_file_end(const struct events_file *file);
/* Its id must be higher than all before; previous and hash are filled in. On the disk when this
 * returns. KW_E_INPUT no record; KW_E_IO. */
kw_status events_file_append(struct kw_op *op, struct events_file *file,
                             struct device_event *event);

/* Every record from this id on, in order, until `take` says false. `record`: all its octets. */
typedef bool (*events_take)(void *ctx, const struct device_event *event, struct kw_span record);
void events_file_each(const struct events_file *file, uint64_t from, events_take take, void *ctx);

#endif
