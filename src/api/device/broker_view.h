/* The broker's two answers on the wire, for the server and for the plugin: docs/MQTT.md. */
#ifndef API_DEVICE_BROKER_VIEW_H
#define API_DEVICE_BROKER_VIEW_H

#include "codec/fields.h"

enum { BROKER_VIEW_ITEMS = 500, BROKER_OWNER_MAX = KW_NAME_MAX + 8 };

struct broker_item_view {
    uint8_t sha256[KW_HASH_BYTES];
    char owner[BROKER_OWNER_MAX];
    char profile[KW_NAME_MAX];
    char state[24];
    int64_t ends_s;
    char attestation[16];
    uint32_t level;
    int64_t attested_until_s;
    int64_t age_ms; /* of the change, as of this answer; 0 = not said */
};
struct broker_view {
    char log[KW_NAME_MAX];
    uint8_t trust[KW_HASH_BYTES];
    uint64_t cursor;
    uint64_t after;
    unsigned n;
    struct broker_item_view at[BROKER_VIEW_ITEMS];
};
extern const struct codec_field broker_view_fields[];
extern const unsigned broker_view_fields_n;

#endif
