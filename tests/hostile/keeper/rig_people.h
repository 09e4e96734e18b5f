/* People with keys of their own, enrolled in the rig's vault: they ask, approve and reject. */
#ifndef TESTS_HOSTILE_KEEPER_RIG_PEOPLE_H
#define TESTS_HOSTILE_KEEPER_RIG_PEOPLE_H

#include "hostile/keeper/rig.h"
#include "model/roster.h"

/* alice, bob and carol are security officers; rita manages releases; otto operates; dora audits;
 * mallory has a key, but is not enrolled. */
enum rig_person {
    RIG_ALICE,
    RIG_BOB,
    RIG_CAROL,
    RIG_RITA,
    RIG_OTTO,
    RIG_DORA,
    RIG_ENROLLED,
    RIG_MALLORY = RIG_ENROLLED,
    RIG_PEOPLE
};
extern const char *const rig_names[RIG_PEOPLE];

/* Their keys: made once a process, P-256 but rita's (Ed25519) and dora's (P-384). */
const struct privkey *rig_person_key(enum rig_person person);
/* Everybody enrolled; every operation needs two security officers within an hour, but firmware
 * one release manager within five minutes. */
void rig_roster(struct roster *ret);
/* Set this roster (NULL: rig_roster()) in a ceremony; no keeper runs before or after. */
void rig_enrol(struct rig *rig, const struct roster *roster);

/* A whole request and its reply. */
struct keeper_reply rig_ask_open(struct rig *rig, const struct approval_subject *subject,
                                 const char *requester);
/* Sign `text` as this person; send it as `name`. */
struct keeper_reply rig_ask_sign(struct rig *rig, uint64_t id, enum approval_verdict verdict,
                                 enum rig_person person, const char *name, struct kw_span text);
/* What the keeper holds; the test fails where it holds none. */
struct keeper_approval rig_approval(struct rig *rig, uint64_t id);
/* Open; fails the test where it is refused. */
uint64_t rig_open(struct rig *rig, const struct approval_subject *subject,
                  enum rig_person requester);
/* An ordinary signature over what the keeper holds; its reply. */
struct keeper_reply rig_verdict(struct rig *rig, uint64_t id, enum approval_verdict verdict,
                                enum rig_person person);
/* Asked by alice, approved by bob and carol: ready for use. */
uint64_t rig_approved(struct rig *rig, const struct approval_subject *subject);

#endif
