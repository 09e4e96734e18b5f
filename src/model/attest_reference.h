/*
 * Reference sets: what a boot of a release measures. Pure rules over events, never over the values
 * of PCRs, for those hang on order and on what changes with every boot.
 */
#ifndef MODEL_ATTEST_REFERENCE_H
#define MODEL_ATTEST_REFERENCE_H

#include <stdint.h>

#include "base/limits.h"
#include "model/attest.h"

enum { ATTEST_EVENTS_MAX = 2048, ATTEST_REFERENCES_MAX = 32, ATTEST_PCR_MASK = 3 };

struct attest_event {
    uint8_t pcr;
    uint32_t type; /* EV_… of the PC Client profile */
    uint8_t digest[KW_HASH_BYTES];
};

/* By PCR, type and digest, each once; the new number. */
unsigned attest_events_sort(struct attest_event events[], unsigned n);

struct attest_reference {
    char name[KW_NAME_MAX], product[KW_NAME_MAX]; /* product "": of all */
    bool open;
    uint8_t pcrs[ATTEST_PCR_MASK]; /* only events of these are judged */
    unsigned n;
    const struct attest_event *events; /* borrowed, sorted */
};

struct attest_fit {
    enum attest_reason reason; /* OK, UNKNOWN_EVENT, MISSING_EVENT, REFERENCE_CLOSED */
    const struct attest_reference
        *reference;            /* that fits, or comes nearest; NULL: none was asked */
    struct attest_event event; /* that is unknown or missing */
};
/**
 * Events that happened (sorted) against the sets of a product. OK where no set is for the product
 * (reference NULL), or where each event is in one open set and each of that set's events happened.
 * A closed set that fits is named; else the open set that comes nearest says what differs.
 */
struct attest_fit attest_references_judge(const struct attest_reference sets[], unsigned n_sets,
                                          const char *product, const struct attest_event events[],
                                          unsigned n);

#endif
