/*
 * A gate that lies: the real keeper on one end, and on the other raw packets, so that nothing of
 * our own client stands in the way. Shared by the hostile and the process tests.
 */
#ifndef TESTS_HOSTILE_KEEPER_RIG_H
#define TESTS_HOSTILE_KEEPER_RIG_H

#include <sys/types.h>

#include "crypto/cert.h"
#include "crypto/crl.h"
#include "crypto/ocsp.h"
#include "keeper/msg.h"
#include "unit/base/check.h"

#define RIG_PASSPHRASE "correct horse battery staple"
#define RIG_ORIGIN "log.example/keywright"

enum { RIG_DAY_S = 86400, RIG_TBS_MAX = 20000 };

/* Keys that the ceremony makes. */
enum rig_key { RIG_CA, RIG_CA2, RIG_EARLY, RIG_OCSP, RIG_TLS, RIG_LOG, RIG_KEYS };

struct rig {
    char dir[64]; /* of everything */
    char vault[96];
    char unlock[320];
    char program[512];
    struct pubkey *key[RIG_KEYS];
    struct privkey *device; /* P-256, held here */
    struct privkey *device_p384;
    int fd; /* our end; -1 = no keeper runs */
    pid_t pid;
    uint64_t req_id;
    char request_id[KW_REQUEST_ID]; /* ties replies to lines of refusals.log */
    uint8_t tbs[RIG_TBS_MAX];       /* last captured or twisted */
    size_t tbs_len;
    uint64_t approval_id; /* goes with SIGN_CERT */
    uint8_t reply_octets[KEEPER_FRAME_BYTES + KEEPER_REPLY_MAX];
};

extern const char *const rig_key_ids[RIG_KEYS];

/* The path of a program of the build. */
void rig_program(char *path, size_t cap);
/* A new vault with its keys, made by the ceremony through the ordinary client. */
struct rig *rig_new(void);
/* End the keeper, remove all files. */
void rig_free(struct rig *rig);
/* Start the keeper as keywrightd does, and say HELLO. */
void rig_start(struct rig *rig, bool ceremony);
/* Close the channel and reap: the exit status as waitpid(2) gives it. */
int rig_end(struct rig *rig);
/* Is the keeper's end of the channel closed within the time? */
bool rig_channel_closed(const struct rig *rig, int ms);

/* Raw packets. */
void rig_send(struct rig *rig, struct kw_span packet, const int fds[], unsigned n_fds);
/* The next packet's reply; fails the test where none comes. */
struct keeper_reply rig_receive(struct rig *rig, uint64_t *ret_req_id);
/* One request of a row with an optional descriptor, and its reply. */
struct keeper_reply rig_ask(struct rig *rig, const struct keeper_row *row,
                            const struct keeper_msg *msg, int fd);
void rig_msg(const struct rig *rig, struct keeper_msg *msg, const char *key_id);
/* A page of the keeper's journal from a row on: how many rows. */
unsigned rig_journal(struct rig *rig, uint64_t from,
                     struct keeper_journal_row rows[KEEPER_JOURNAL_ROWS_MAX], uint64_t *ret_last);

/* Names as DER, in a static room per index (0..7). */
struct kw_span rig_dn(unsigned room, const char *cn, const char *serial);
struct kw_span rig_ca_dn(enum rig_key ca);
struct kw_span rig_empty_dn(void);

/* The policies of the ceremony; for a test of rotation set the overlap before rig_new(). */
extern uint32_t rig_overlap_s;
void rig_policy(enum rig_key key, const struct rig *rig, struct key_policy *ret);

/* Fresh serial of a CA of the rig. */
void rig_serial(struct rig *rig, enum rig_key ca, uint8_t serial[KW_SERIAL_BYTES]);
/* What the rule "leaf" (or another) of the CA lets through; serial is fresh. */
struct cert_spec rig_spec(struct rig *rig, enum rig_key ca, const char *rule,
                          uint8_t serial[KW_SERIAL_BYTES]);
/* Build with a key that only listens: rig->tbs. `as` is whose algorithm it seems to be signed with.
 */
void rig_capture_cert(struct rig *rig, const struct cert_spec *spec, const struct pubkey *as);
struct crl_spec rig_crl_spec(const struct rig *rig, uint64_t number);
void rig_capture_crl(struct rig *rig, const struct crl_spec *spec, const struct pubkey *as);
void rig_ocsp_single(const struct rig *rig, bool sha256, struct ocsp_single *ret);
/* ca: who seems to answer; its key hash becomes the responder. */
void rig_capture_ocsp(struct rig *rig, const struct ocsp_single at[], unsigned n,
                      int64_t produced_at, enum rig_key responder);
/* TLS 1.3 content of n_hash octets. */
void rig_tls_content(struct rig *rig, const char *context, size_t n_hash);

/* Ask for signatures over rig->tbs. */
struct keeper_reply rig_sign_cert(struct rig *rig, const char *key_id, const char *rule);
struct keeper_reply rig_sign_crl(struct rig *rig, const char *key_id);
struct keeper_reply rig_sign(struct rig *rig, enum keeper_row_index row, const char *key_id);
/* The signature of a reply verifies with this key over rig->tbs. */
void rig_verify(struct rig *rig, const struct keeper_reply *reply, const struct pubkey *key);
/* A right certificate is signed, and its serial number works once only. */
void rig_right_request(struct rig *rig);
/* How many lines of refusals.log have all these pieces? Any may be NULL. */
unsigned rig_refused(const struct rig *rig, const char *a, const char *b, const char *c);
uint64_t rig_next_crl_number(void);

#endif
