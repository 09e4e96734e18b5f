/* One record of a device's security event log: docs/protocol/device-events.md. */
#ifndef MODEL_DEVICE_EVENT_H
#define MODEL_DEVICE_EVENT_H

#include "base/bytes.h"
#include "base/limits.h"
#include "model/heartbeat.h"

enum {
    DEVICE_EVENT_MAX = 208,  /* octets of a record at most */
    DEVICE_EVENT_BATCH = 32, /* records of one message */
};

/* What the time of a record is worth. */
enum device_time_worth { DEVICE_TIME_FLOOR = 0, DEVICE_TIME_CLOCK, DEVICE_TIME_SIGNED };
const char *device_time_worth_text(enum device_time_worth worth); /* "unknown" for no such one */

/* The texts are UTF-8 without control characters; none but `detail` may be empty. */
struct device_event {
    uint64_t number; /* from 1 */
    int64_t time_ms; /* never before 1970 */
    enum device_time_worth worth;
    uint32_t boot, uptime_s;
    char category[16];
    char type[32];
    char source[32];
    char result[16];
    char detail[80];
};

/* Append the octets of a record. KW_E_INPUT what device_event_parse() would refuse. */
kw_status device_event_write(const struct device_event *event, struct kw_out *out);
/* Read exactly one. KW_E_INPUT. */
kw_status device_event_parse(struct kw_span record, struct device_event *ret);

/* What stands before the octets that are hashed; their NUL is hashed too. */
extern const char device_log_domain[], device_event_domain[], heartbeat_domain[];

#endif
