/* Serial numbers handed out for one CA and not used yet. */
#ifndef KEEPER_CMD_SERIALS_H
#define KEEPER_CMD_SERIALS_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"

enum {
    SERIALS_OUTSTANDING = 4096, /* then the oldest is forgotten: it can be used no more */
    SERIALS_TIME_OCTETS = 6     /* milliseconds; those behind are random */
};

struct serials;

kw_status serials_new(struct kw_op *op, struct serials **ret);
void serials_free(struct serials *serials);
KW_OWNED(serials, struct serials, serials_free)

/*
 * A fresh one: the time in milliseconds, so that what is issued together lies together in the
 * store's index, then 80 random bits (the CA/Browser Forum asks for 64). Only those make it unique
 * and unforeseeable: the clock may be wrong or go back.
 */
kw_status serials_make(struct kw_op *op, struct serials *serials, int64_t now_ms,
                       uint8_t ret[KW_SERIAL_BYTES]);
/* Was it handed out here and is it still unused? */
bool serials_outstanding(const struct serials *serials, struct kw_span serial);
/* It is used now; nothing where it is not outstanding. */
void serials_use(struct serials *serials, struct kw_span serial);

#endif
