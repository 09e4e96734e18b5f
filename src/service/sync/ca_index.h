/*
 * The index of another CA, a line at a time: OpenSSL's index.txt (`openssl ca`), or CSV with the
 * columns serial,state,expires,subject (state: valid, revoked or expired; expires: 2026-11-21T…Z).
 */
#ifndef SERVICE_SYNC_CA_INDEX_H
#define SERVICE_SYNC_CA_INDEX_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"

enum ca_index_state { CA_INDEX_VALID = 1, CA_INDEX_REVOKED, CA_INDEX_EXPIRED };

struct ca_index_entry {
    enum ca_index_state state; /* 0: an empty line, a comment or the header */
    uint8_t serial[KW_SERIAL_MAX];
    uint32_t serial_len;
    int64_t expires_s;    /* 0 = not said */
    char subject[256];    /* as written there; cut where longer */
    char cn[KW_NAME_MAX]; /* its common name; "" = none, or too long */
};

/**
 * Read one line without its end. Tabs make it index.txt's form, else it is CSV.
 * KW_E_INPUT it is neither.
 */
kw_status ca_index_parse(struct kw_span line, struct ca_index_entry *ret);

#endif
