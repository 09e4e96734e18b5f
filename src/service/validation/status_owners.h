/* The owners of certificates by number: name and, where it is a device, its state. */
#ifndef SERVICE_VALIDATION_STATUS_OWNERS_H
#define SERVICE_VALIDATION_STATUS_OWNERS_H

#include <pthread.h>

#include "base/bytes.h"
#include "store/store.h"

enum { OWNER_NONE = UINT32_MAX, OWNER_STATE_UNKNOWN = 255 };

struct owner_row {
    uint32_t name;   /* where its text begins, ended by NUL */
    uint32_t state;  /* enum device_state; 0 no device; OWNER_STATE_UNKNOWN */
    int64_t seen_ms; /* the device's last sign of life */
};

struct status_owners {
    pthread_rwlock_t lock; /* writers are the committer and the one who fills */
    struct owner_row *at;
    uint32_t n, cap;
    uint32_t *slots; /* index + 1 by hash of the text */
    uint32_t n_slots;
    char *text;
    uint32_t text_len, text_cap;
};

void status_owners_init(struct status_owners *owners);
void status_owners_done(struct status_owners *owners);
void status_owners_clear(struct status_owners *owners);
/* Its number, given now where it has none; OWNER_NONE without memory. A device's state and
 * sign of life are set where its state is unknown yet, or `newer`. */
uint32_t status_owners_put(struct status_owners *owners, const char *name, unsigned state,
                           int64_t seen_ms, bool newer);
/* False: its state is unknown. */
bool status_owners_get(struct status_owners *owners, uint32_t number, char *name, size_t cap,
                       enum device_state *ret);
/* The first n owners, as far as they are devices that are not retired: bit i of `with` says whether
 * number i has a certificate in force. Online: a sign of life later than seen_ms. */
struct status_devices {
    uint64_t online, offline, without;
};
void status_owners_count(struct status_owners *owners, const uint8_t *with, uint32_t n,
                         int64_t seen_ms, struct status_devices *ret);
uint32_t status_owners_n(struct status_owners *owners);
uint64_t status_owners_bytes(struct status_owners *owners);

#endif
