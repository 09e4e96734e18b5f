/* Receipts of destruction: what a key signs as its last act. */
#ifndef MODEL_RECEIPT_H
#define MODEL_RECEIPT_H

#include "base/bytes.h"
#include "model/event.h"

struct device_receipt {
    char action[32];                 /* "wipe" */
    char key_id[80];                 /* hex SHA-256 of the destroyed key's SPKI */
    char proof[EVENT_DETAIL_MAX];    /* signed: what is known at the moment of the last signature */
    char readback[EVENT_DETAIL_MAX]; /* not signed: what the root of trust reported when the key was
                                        gone */
    int64_t unix_ms;
    char signature[1024]; /* base64 over device_receipt_text(), by that key as its last act */
};
/* Append the text that the key signs. KW_E_MEMORY. */
kw_status device_receipt_text(const char *device_id, const struct device_receipt *receipt,
                              struct kw_bytes *into);

#endif
