/* Events as log entries: one line of JSON. */
#ifndef SERVICE_EVENT_TEXT_H
#define SERVICE_EVENT_TEXT_H

#include "base/bytes.h"
#include "base/op.h"
#include "model/event.h"

/* Append the entry, with a fresh event id, without a line end. */
kw_status event_encode(struct kw_op *op, const struct event *event, struct kw_bytes *into);

/* Read an entry back. Types of other versions come as EVENT_MAX. KW_E_INPUT. */
kw_status event_decode(struct kw_op *op, struct kw_span entry, struct event *ret);

#endif
