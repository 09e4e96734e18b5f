/* A fleet put into a store without anybody enrolling: devices, their keys and certificates. */
#ifndef BENCH_SEED_H
#define BENCH_SEED_H

#include "gate.h"
#include "store/store.h"

struct seed {
    unsigned certs_a_device;
    const char *batch;      /* that the devices are of; "" = none */
    struct kw_span der;     /* of every certificate; borrowed */
    int64_t not_after;      /* of the first certificate … */
    unsigned ends_a_second; /* … and so many end in each second from then on; 0 = all at once */
    bool logged; /* each has an entry of the log (without its place in the signed tree) */
};

/* Octets that differ for each number and lie anywhere, as hashes and serial numbers do. */
void seed_spread(uint64_t no, uint8_t kind, uint8_t ret[KW_HASH_BYTES]);
/* Certificate number `no` of this seed: always the same one. */
void seed_cert(const struct seed *seed, uint64_t no, struct store_cert *ret);
/* The id of the device that has it. */
void seed_device_id(const struct seed *seed, uint64_t no, char ret[KW_NAME_MAX]);
/* Put certificates from … from + n - 1 there, in one durable change. */
void seed_insert(const struct seed *seed, struct store *store, uint64_t from, uint64_t n);
/* Many, into a store that nobody has open and in which number 0 is; `from` is a device's first. By
 * SQL, without the store's caution: a million takes half a minute. */
void seed_bulk(const struct seed *seed, const char *path, uint64_t from, uint64_t n);
/* All n into the store of a gate that does not run. */
void seed_gate(const struct seed *seed, const struct bench_gate *gate, uint64_t n);

#endif
