#include "cmd/keywright-keeper/serials.h"

#include <stdlib.h>

#include "os/rng.h"

enum { NONE = SERIALS_OUTSTANDING, BUCKETS = 4096 };

/* A ring, and chains through it by the serial's last octets: they are random. */
struct serials {
    unsigned next_place; /* the oldest */
    uint8_t at[SERIALS_OUTSTANDING][KW_SERIAL_BYTES];
    bool used[SERIALS_OUTSTANDING]; /* or never filled: not in a chain */
    uint16_t next[SERIALS_OUTSTANDING];
    uint16_t bucket[BUCKETS];
};

kw_status serials_new(struct kw_op *op, struct serials **ret)
{
    struct serials *serials = malloc(sizeof(*serials));

    ENSURE(op, serials, KW_E_MEMORY, "no memory for serial numbers");
    serials->next_place = 0;
    for (unsigned i = 0; i < SERIALS_OUTSTANDING; i++) {
        serials->used[i] = true;
        serials->next[i] = NONE;
    }
    for (unsigned i = 0; i < BUCKETS; i++) {
        serials->bucket[i] = NONE;
    }
    *ret = serials;
    return KW_OK;
}

void serials_free(struct serials *serials)
{
    free(serials);
}

static unsigned bucket_of(const uint8_t *serial)
{
    return ((unsigned)serial[KW_SERIAL_BYTES - 2] << 8 | serial[KW_SERIAL_BYTES - 1]) % BUCKETS;
}

/* NONE where it is not outstanding. */
static unsigned find(const struct serials *serials, const uint8_t *serial)
{
    unsigned i = serials->bucket[bucket_of(serial)];

    while (i != NONE && memcmp(serials->at[i], serial, KW_SERIAL_BYTES) != 0) {
        i = serials->next[i];
    }
    return i;
}

static void unlink_place(struct serials *serials, unsigned place)
{
    if (serials->used[place]) {
        return;
    }
    uint16_t *link = &serials->bucket[bucket_of(serials->at[place])];
    while (*link != place) {
        link = &serials->next[*link];
    }
    *link = serials->next[place];
    serials->used[place] = true;
}

/* RFC 5280 section 4.1.2.2: positive; whatever the time, the first octet is neither 0 nor 0x80. */
static void write_time(int64_t now_ms, uint8_t serial[KW_SERIAL_BYTES])
{
    for (unsigned i = 0; i < SERIALS_TIME_OCTETS; i++) {
        serial[i] = (uint8_t)((uint64_t)now_ms >> (8 * (SERIALS_TIME_OCTETS - 1 - i)));
    }
    serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
}

kw_status serials_make(struct kw_op *op, struct serials *serials, int64_t now_ms,
                       uint8_t ret[KW_SERIAL_BYTES])
{
    uint8_t serial[KW_SERIAL_BYTES];

    TRY(op, os_random(op, serial, sizeof(serial)), "a serial number");
    write_time(now_ms, serial);
    unsigned place = serials->next_place;
    unlink_place(serials, place);
    memcpy(serials->at[place], serial, sizeof(serial));
    uint16_t *bucket = &serials->bucket[bucket_of(serial)];
    serials->next[place] = *bucket;
    *bucket = (uint16_t)place;
    serials->used[place] = false;
    serials->next_place = (place + 1) % SERIALS_OUTSTANDING;
    memcpy(ret, serial, sizeof(serial));
    return KW_OK;
}

bool serials_outstanding(const struct serials *serials, struct kw_span serial)
{
    return serial.len == KW_SERIAL_BYTES && find(serials, serial.p) != NONE;
}

void serials_use(struct serials *serials, struct kw_span serial)
{
    if (serial.len != KW_SERIAL_BYTES) {
        return;
    }
    unsigned place = find(serials, serial.p);
    if (place != NONE) {
        unlink_place(serials, place);
    }
}
