/* An open PKCS#11 token, inside rot/pkcs11 only. */
#ifndef ROT_PKCS11_DEVICE_H
#define ROT_PKCS11_DEVICE_H

#include <p11-kit/pkcs11.h>

#include "rot/ops.h"
#include "rot/pkcs11/module.h"
#include "rot/pkcs11/pin.h"
#include "rot/pkcs11/rv.h"
#include "rot/pkcs11/uri.h"

enum {
    P11_ID_BYTES = 20, /* CKA_ID of what we make: "KWID", 16 random octets */
    P11_ID_MAX = 32,   /* of keys that others made: mostly a number or a hash */
    P11_ORPHANS_MAX = 32,
    P11_FIND_MAX = 8192, /* objects of one search: more is no token for one vault */
    P11_SEAL_KEY_BYTES = 32,
};

/* CKA_LABEL of a private half that is being made begins so: '~' is in no key's label. */
#define P11_PENDING "~"
/* Of the AES key that seals; nor is '_'. */
#define P11_SEAL_LABEL "keywright_seal"

/* Which token it is, as it says itself; texts without the padding. */
struct p11_token {
    char label[33];
    char manufacturer[33];
    char model[17];
    char serial[17];
    CK_VERSION firmware;
    CK_FLAGS flags;
};

struct p11_id {
    size_t len;
    uint8_t octets[P11_ID_MAX];
};

struct p11 {
    struct p11_uri uri;
    struct p11_pin pin;
    struct p11_module *module;
    const CK_FUNCTION_LIST *f;
    struct p11_token token; /* as at the first connection; another serial number is refused */
    bool is_known;
    unsigned algs; /* KEY_ALG_BIT of what it can make and use */
    bool can_seal;
    bool no_rename;        /* its labels are fixed once an object was made */
    unsigned ed25519_form; /* which of its names for the curve the token took */

    CK_SLOT_ID slot;
    bool connected;
    CK_SESSION_HANDLE session;
    unsigned generation;  /* p11_module_enter() */
    unsigned epoch;       /* handles of another epoch have to be found again; never 0 */
    enum p11_heal damage; /* what the failures since the last visit ask for */
    int64_t used_ms;      /* monotonic: when the session answered last */
    int64_t closed_until_ms;
    unsigned n_failed; /* visits in a row that could not be healed */

    unsigned n_orphans; /* of keys that could not be taken back yet */
    struct p11_id orphans[P11_ORPHANS_MAX];
};

struct p11_key {
    char label[ROT_LABEL_MAX];
    struct p11_id id;
    struct pubkey *public_key;
    CK_OBJECT_HANDLE handle; /* of the private half */
    unsigned epoch;          /* in which the handle is good */
};
void p11_key_free(struct p11_key *key);
KW_OWNED(p11_key, struct p11_key, p11_key_free)

/* --- calls --- */

/* What a function returned as our status; notes what has to be healed. */
kw_status p11_status(struct kw_op *op, struct p11 *self, const char *function, CK_RV rv);
/* TRY(op, P11_CALL(op, self, C_Sign, …)): calls with the session as first argument. */
#define P11_CALL(op, self, function, ...)                                                          \
    p11_status((op), (self), #function, (self)->f->function((self)->session, __VA_ARGS__))

/* --- visits (visit.c, connect.c) --- */

/**
 * Do something at the token: connected and logged in, healed and repeated once where the failure
 * asks for it (so `work` has to leave nothing behind where it fails), at once KW_E_UNAVAILABLE for
 * a while (100 ms doubling to 5 s) where that did not help.
 */
kw_status p11_visit(struct kw_op *op, struct p11 *self,
                    kw_status (*work)(struct kw_op *op, struct p11 *self, void *ctx), void *ctx);
/* Find the token, open a session, log in. The library is entered by the caller. */
kw_status p11_connect(struct kw_op *op, struct p11 *self);
/* Best effort: the session may be lost already. */
void p11_disconnect(struct p11 *self);
/* KW_E_UNAVAILABLE where the session is lost or logged out: what it does not find may be there. */
kw_status p11_check_session(struct kw_op *op, struct p11 *self);
/* What it can do: fills algs and can_seal. */
kw_status p11_identify(struct kw_op *op, struct p11 *self);
/* Between processes of this machine that make and destroy keys; -1 where there is no PIN file. */
kw_status p11_lock(struct kw_op *op, const struct p11 *self, int *ret_fd);

/* --- objects (object.c) --- */

struct p11_found {
    size_t n;
    CK_OBJECT_HANDLE *at;
};
void p11_found_done(struct p11_found *found);
#define P11_FOUND __attribute__((cleanup(p11_found_done))) struct p11_found

/* All objects that have these attributes; none found is proven by p11_check_session(). */
kw_status p11_find(struct kw_op *op, struct p11 *self, CK_ATTRIBUTE *wanted, CK_ULONG n_wanted,
                   struct p11_found *ret);
kw_status p11_find_by_id(struct kw_op *op, struct p11 *self, CK_OBJECT_CLASS class,
                         const struct p11_id *id, struct p11_found *ret);
kw_status p11_find_by_label(struct kw_op *op, struct p11 *self, CK_OBJECT_CLASS class,
                            const char *label, struct p11_found *ret);
/* One attribute; *ret_len 0 where the object has none. KW_E_TOO_LARGE longer than the room. */
kw_status p11_get(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE object,
                  CK_ATTRIBUTE_TYPE type, void *room, size_t cap, size_t *ret_len);
/* A CK_BBOOL; false where there is none. */
kw_status p11_get_bool(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE object,
                       CK_ATTRIBUTE_TYPE type, bool *ret);
/* CKA_ID; empty where it is over P11_ID_MAX octets. *ret_ours: we made the object. */
kw_status p11_get_id(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE object,
                     struct p11_id *ret, bool *ret_ours);
/* CKA_LABEL; "" where it is too long to be ours. */
kw_status p11_get_label(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE object,
                        char label[ROT_LABEL_MAX + 1]);
kw_status p11_set_label(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE object,
                        const char *label);
kw_status p11_id_new(struct kw_op *op, struct p11_id *ret);
bool p11_id_equal(const struct p11_id *a, const struct p11_id *b);

/* --- keys --- */

/* Check a private key's attributes, find its public half, fill key->id, handle and public_key. */
kw_status p11_key_inspect(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE private,
                          struct p11_key *key);
/* A random challenge signed by the private half verifies with the public one. */
kw_status p11_key_prove(struct kw_op *op, struct p11 *self, struct p11_key *key);
/* Destroy every object with this id. */
kw_status p11_destroy_id(struct kw_op *op, struct p11 *self, const struct p11_id *id);
/* An id for something new: it goes again, now or at the next visit, unless it is kept. */
kw_status p11_orphan_new(struct kw_op *op, struct p11 *self, struct p11_id *ret);
void p11_orphan_keep(struct p11 *self, const struct p11_id *id);
kw_status p11_take_back(struct kw_op *op, struct p11 *self);
/* Clear up what an interrupted generate or destroy left. Under p11_lock(). */
kw_status p11_sweep(struct kw_op *op, struct p11 *self);

/* The operations of rot/ops.h. */
kw_status p11_generate(struct kw_op *op, void *self, const char *label, enum key_alg alg,
                       void **ret_key, struct pubkey **ret_public);
kw_status p11_load(struct kw_op *op, void *self, const char *label, void **ret_key,
                   struct pubkey **ret_public);
void p11_key_close(void *self, void *key);
kw_status p11_sign(struct kw_op *op, void *self, void *key, enum key_alg alg,
                   struct kw_span message, struct kw_out *sig);
kw_status p11_attributes(struct kw_op *op, void *self, void *key, char *text, size_t cap);
kw_status p11_destroy(struct kw_op *op, void *self, const char *label, char *ret_proof, size_t cap);
kw_status p11_each(struct kw_op *op, void *self,
                   kw_status (*each)(struct kw_op *op, const char *label, void *ctx), void *ctx);
kw_status p11_seal(struct kw_op *op, void *self, const struct kw_secret *plain,
                   struct kw_bytes **ret);
kw_status p11_unseal(struct kw_op *op, void *self, struct kw_span sealed, struct kw_secret **ret);

#endif
