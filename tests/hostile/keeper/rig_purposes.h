/* Keys of every class that states, releases, or protects data, in the rig's vault. */
#ifndef TESTS_HOSTILE_KEEPER_RIG_PURPOSES_H
#define TESTS_HOSTILE_KEEPER_RIG_PURPOSES_H

#include "hostile/keeper/attack.h"
#include "hostile/keeper/rig_people.h"
#include "keeper/wrapped.h"

#define RIG_PRODUCT "lock"
#define RIG_HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

enum purpose_key {
    PURPOSE_KEK,
    PURPOSE_KEK2, /* of another line */
    PURPOSE_MAC,
    PURPOSE_KDF,      /* labels that begin with "session/" or "osdp/" */
    PURPOSE_FIRMWARE, /* RIG_PRODUCT, versions 2.#.# */
    PURPOSE_TIMESTAMP,
    PURPOSE_ROOT,
    PURPOSE_STATION,
    PURPOSE_EVIDENCE,
    PURPOSE_CMP,
    PURPOSE_KEYS
};
enum { PURPOSE_CMP_NAME = 16 };
extern const uint8_t purpose_cmp_name[PURPOSE_CMP_NAME];
extern const char *const purpose_ids[PURPOSE_KEYS];
/* NULL for secrets. */
extern struct pubkey *purpose_public[PURPOSE_KEYS];

/* attack_rig with these keys and with everybody of rig_people.h, serving. */
int purpose_setup(void **state);
int purpose_teardown(void **state);
void purpose_policy(enum purpose_key key, struct key_policy *ret);

/* One request, of which the row says what the octets are. */
struct keeper_reply purpose_ask(enum keeper_row_index row, const char *key_id, struct kw_span a,
                                struct kw_span b);
/* The answer; fails the test where it was refused. */
struct keeper_answer purpose_good(enum keeper_row_index row, const struct keeper_reply *reply);
struct keeper_reply purpose_tuf(const char *key_id, struct kw_span body);
struct keeper_reply purpose_firmware(const char *key_id, const char *statement, uint64_t approval);

/* What people decide about a key; fails the test where it is refused. */
void purpose_rotate(enum purpose_key key, const char *successor);
void purpose_deactivate(const char *key_id);
void purpose_destroy(enum purpose_key key);
/* A request for this release, asked by alice, approved by rita: ready for use. */
uint64_t purpose_approve(const char *text);

/* Texts in static rooms. */
const char *purpose_release(const char *version, const char *counter, const char *hash);
const char *purpose_record(int64_t date);
const char *purpose_evidence(int64_t from, int64_t to);
const char *purpose_metadata(const char *role, const char *version, int64_t expires);

#endif
