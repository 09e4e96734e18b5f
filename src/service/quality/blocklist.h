/*
 * Keys that nobody may use. A list is a text, one entry a line:
 *   # comment
 *   spki:<SHA-256 of the SubjectPublicKeyInfo, 64 hexadecimal digits>
 *   <64 digits>                                     the same
 *   number:<first 30 digits of SHA-256 over RSA's n, EC's x or the Ed25519 key>   (badkeys)
 *   modulus:<last 20 digits of SHA-1 over "Modulus=N\n"> (openssl-blacklist) <20 digits> the same
 * so that the files of Debian's openssl-blacklist are read as they are.
 */
#ifndef SERVICE_QUALITY_BLOCKLIST_H
#define SERVICE_QUALITY_BLOCKLIST_H

#include "crypto/pubkey.h"
#include "service/service.h"
#include "store/registration.h"

enum { BLOCKLIST_LINE_MAX = 256, BLOCKLIST_LINES_MAX = 20000, BLOCKLIST_HITS_MAX = 100 };

/* One line, without its end. ret->kind 0: nothing is said (empty, comment). KW_E_INPUT. */
kw_status blocklist_parse_line(struct kw_span line, struct store_blocked *ret);

/* Is this key on a list? */
kw_status blocklist_find(struct kw_op *op, struct service *service, const struct pubkey *key,
                         bool *ret_blocked, struct store_blocked *ret);

/* A certificate whose key was blocked after it had been issued. */
struct blocklist_hit {
    char owner[KW_NAME_MAX], ca[KW_NAME_MAX], profile[KW_NAME_MAX];
    char serial[2 * KW_SERIAL_MAX + 1];
    enum cert_state state;
};
struct blocklist_report {
    uint64_t added, known, lines;
    uint64_t n_hits; /* all of them; the first ones are told */
    unsigned n_told;
    struct blocklist_hit hits[BLOCKLIST_HITS_MAX];
};
/**
 * Add the entries of a text (at most BLOCKLIST_LINES_MAX lines) under the name of a list, all or
 * none, and tell which certificates that are not revoked have a key of its spki entries.
 * KW_E_INPUT names the line.
 */
kw_status blocklist_add(struct kw_op *op, struct service *service, const char *list,
                        struct kw_span text, struct blocklist_report *ret);
/* What an entry of the log says was blocked (EVENT_KEY_BLOCK), done again: after a restore.
 * ret_added: raised by those that were not there. KW_E_INTEGRITY. */
kw_status blocklist_again(struct kw_op *op, struct store_txn *txn, const struct event *event,
                          uint64_t *ret_added);
/**
 * Walk through certificates, from the one behind `after` on, and tell those whose key is on any
 * list: what numbers and moduli concern can be found in no other way. *after: where to go on; 0 at
 * the end. Some thousand certificates a call.
 */
kw_status blocklist_walk(struct kw_op *op, struct service *service, int64_t *after,
                         struct blocklist_report *ret);

#endif
