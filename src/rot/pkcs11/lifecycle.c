/*
 * Making and destroying keys, safe against a cut at any point. The private half is what counts:
 *     made:      its label begins with '~' until both halves are checked and proven; that it gets
 *                its plain label is the last step
 *     destroyed: it goes first, the public half follows
 * So a private half with a plain label is a whole key, and p11_sweep() can tell what a cut left: a
 * private half whose label begins with '~', a public half without a private one. Where a token's
 * labels are fixed, the private half has the plain one from the beginning.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "os/files.h"
#include "rot/pkcs11/alg.h"
#include "rot/pkcs11/device.h"

enum { RSA_BITS = 3072, HALVES_MAX = 16 };

/* --- taking back --- */

static kw_status destroy_all(struct kw_op *op, struct p11 *self, const struct p11_found *found)
{
    for (size_t i = 0; i < found->n; i++) {
        TRY(op, P11_CALL(op, self, C_DestroyObject, found->at[i]));
    }
    return KW_OK;
}

static kw_status destroy_class(struct kw_op *op, struct p11 *self, CK_OBJECT_CLASS class,
                               const struct p11_id *id)
{
    P11_FOUND found = {0};

    TRY(op, p11_find_by_id(op, self, class, id, &found));
    TRY(op, destroy_all(op, self, &found));
    TRY(op, p11_find_by_id(op, self, class, id, &found));
    ENSURE(op, found.n == 0, KW_E_DEVICE, "the token still has what it destroyed");
    return KW_OK;
}

kw_status p11_destroy_id(struct kw_op *op, struct p11 *self, const struct p11_id *id)
{
    TRY(op, destroy_class(op, self, CKO_PRIVATE_KEY, id));
    TRY(op, destroy_class(op, self, CKO_SECRET_KEY, id));
    TRY(op, destroy_class(op, self, CKO_PUBLIC_KEY, id));
    return KW_OK;
}

static kw_status sweep_private(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE object)
{
    char label[ROT_LABEL_MAX + 1];
    struct p11_id id;
    bool ours = false;

    TRY(op, p11_get_label(op, self, object, label));
    if (label[0] != P11_PENDING[0]) {
        return KW_OK;
    }
    TRY(op, p11_get_id(op, self, object, &id, &ours));
    if (ours) {
        TRY(op, p11_destroy_id(op, self, &id));
    }
    return KW_OK;
}

/* A public half of ours without a private one serves nobody. */
static kw_status sweep_public(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE object)
{
    struct p11_id id;
    bool ours = false;
    P11_FOUND private = {0};

    TRY(op, p11_get_id(op, self, object, &id, &ours));
    if (!ours) {
        return KW_OK;
    }
    TRY(op, p11_find_by_id(op, self, CKO_PRIVATE_KEY, &id, &private));
    if (private.n == 0) {
        TRY(op, p11_destroy_id(op, self, &id));
    }
    return KW_OK;
}

static kw_status sweep_class(struct kw_op *op, struct p11 *self, CK_OBJECT_CLASS class,
                             kw_status (*one)(struct kw_op *op, struct p11 *self,
                                              CK_OBJECT_HANDLE object))
{
    CK_ATTRIBUTE wanted = {CKA_CLASS, &class, sizeof(class)};
    P11_FOUND found = {0};

    TRY(op, p11_find(op, self, &wanted, 1, &found));
    for (size_t i = 0; i < found.n; i++) {
        TRY(op, one(op, self, found.at[i]));
    }
    return KW_OK;
}

kw_status p11_sweep(struct kw_op *op, struct p11 *self)
{
    TRY(op, sweep_class(op, self, CKO_PRIVATE_KEY, sweep_private));
    TRY(op, sweep_class(op, self, CKO_PUBLIC_KEY, sweep_public));
    return KW_OK;
}

/* --- generate --- */

struct making {
    struct p11_key *key;
    const struct p11_alg *alg;
};

static kw_status ask_pair(struct kw_op *op, struct p11 *self, const struct making *making,
                          char *label, struct kw_span curve)
{
    char *plain = making->key->label;
    CK_BBOOL yes = CK_TRUE;
    CK_BBOOL no = CK_FALSE;
    CK_ULONG bits = RSA_BITS;
    CK_BYTE exponent[] = {0x01, 0x00, 0x01};
    CK_MECHANISM mechanism = {.mechanism = making->alg->make};
    struct p11_id *id = &making->key->id;
    CK_ATTRIBUTE private[] = {
        {CKA_TOKEN,        &yes,       sizeof(yes)  },
        {CKA_PRIVATE,      &yes,       sizeof(yes)  },
        {CKA_SENSITIVE,    &yes,       sizeof(yes)  },
        {CKA_EXTRACTABLE,  &no,        sizeof(no)   },
        {CKA_SIGN,         &yes,       sizeof(yes)  },
        {CKA_SIGN_RECOVER, &no,        sizeof(no)   },
        {CKA_DECRYPT,      &no,        sizeof(no)   },
        {CKA_UNWRAP,       &no,        sizeof(no)   },
        {CKA_DERIVE,       &no,        sizeof(no)   },
        {CKA_LABEL,        label,      strlen(label)},
        {CKA_ID,           id->octets, id->len      },
    };
    CK_ATTRIBUTE public[] = {
        {CKA_TOKEN,           &yes,                       sizeof(yes)     },
        {CKA_PRIVATE,         &no,                        sizeof(no)      },
        {CKA_VERIFY,          &yes,                       sizeof(yes)     },
        {CKA_LABEL,           plain,                      strlen(plain)   },
        {CKA_ID,              id->octets,                 id->len         },
        {CKA_EC_PARAMS,       (void *)(uintptr_t)curve.p, curve.len       },
        {CKA_PUBLIC_EXPONENT, exponent,                   sizeof(exponent)},
    };
    CK_ULONG n_public = KW_COUNT(public) - 1; /* up to the curve */
    if (curve.len == 0) {
        public[KW_COUNT(public) - 2] = (CK_ATTRIBUTE){CKA_MODULUS_BITS, &bits, sizeof(bits)};
        n_public = KW_COUNT(public);
    }
    CK_OBJECT_HANDLE pair[2] = {0, 0};
    return P11_CALL(op, self, C_GenerateKeyPair, &mechanism, public, n_public, private,
                    KW_COUNT(private), &pair[0], &pair[1]);
}

/* With the first name of its curve that the token takes. */
static kw_status make_pair(struct kw_op *op, struct p11 *self, const struct making *making,
                           char *label)
{
    const struct p11_alg *alg = making->alg;
    kw_status status = KW_OK;

    for (unsigned i = 0; i == 0 || i < alg->n_curves; i++) {
        kw_op_clear(op); /* the name before was not taken */
        status = ask_pair(op, self, making, label, alg->curves[i]);
        if (status.code != KW_E_UNSUPPORTED) {
            break;
        }
    }
    TRY(op, status, "making the key in the token");
    return KW_OK;
}

/* Where the label cannot be changed, another key is made that needs no other. */
static kw_status settle(struct kw_op *op, struct p11 *self, const struct p11_key *key)
{
    kw_status status = p11_set_label(op, self, key->handle, key->label);
    self->no_rename = status.code == KW_E_UNSUPPORTED || status.code == KW_E_DENIED;
    TRY(op, status, "labelling the new key");
    return KW_OK;
}

static kw_status make_key(struct kw_op *op, struct p11 *self, const struct making *making)
{
    struct p11_key *key = making->key;
    char label[ROT_LABEL_MAX + 1];
    bool pending = !self->no_rename;
    P11_FOUND private = {0};

    (void)snprintf(label, sizeof(label), "%s%s", pending ? P11_PENDING : "", key->label);
    TRY(op, make_pair(op, self, making, label));
    TRY(op, p11_find_by_id(op, self, CKO_PRIVATE_KEY, &key->id, &private));
    ENSURE(op, private.n == 1, KW_E_DEVICE, "the token made %zu private keys", private.n);
    TRY(op, p11_key_inspect(op, self, private.at[0], key), "looking at the new key");
    ENSURE(op, pubkey_alg(key->public_key) == making->alg->alg, KW_E_DEVICE,
           "the token made another key than asked for");
    TRY(op, p11_key_prove(op, self, key));
    if (pending) {
        TRY(op, settle(op, self, key));
    }
    return KW_OK;
}

static kw_status check_free(struct kw_op *op, struct p11 *self, const char *label)
{
    P11_FOUND found = {0};

    TRY(op, p11_find_by_label(op, self, CKO_PRIVATE_KEY, label, &found));
    ENSURE(op, found.n == 0, KW_E_CONFLICT, "label '%s' is taken", label);
    TRY(op, p11_find_by_label(op, self, CKO_PUBLIC_KEY, label, &found));
    if (found.n > 0) { /* what a cut left, or somebody else's */
        TRY(op, p11_sweep(op, self), "clearing up behind an interrupted operation");
        TRY(op, p11_find_by_label(op, self, CKO_PUBLIC_KEY, label, &found));
    }
    ENSURE(op, found.n == 0, KW_E_CONFLICT, "label '%s' is another one's public key", label);
    return KW_OK;
}

static void forget_orphan(struct p11 *self, const struct p11_id *id)
{
    for (unsigned i = 0; i < self->n_orphans; i++) {
        if (p11_id_equal(&self->orphans[i], id)) {
            self->orphans[i] = self->orphans[--self->n_orphans];
            return;
        }
    }
}

kw_status p11_take_back(struct kw_op *op, struct p11 *self)
{
    while (self->n_orphans > 0) {
        const struct p11_id id = self->orphans[self->n_orphans - 1];
        TRY(op, p11_destroy_id(op, self, &id), "taking back a key that was not finished");
        forget_orphan(self, &id);
    }
    return KW_OK;
}

/* What is made under this id goes again, now or at the next visit, unless it is forgotten. */
kw_status p11_orphan_new(struct kw_op *op, struct p11 *self, struct p11_id *ret)
{
    ENSURE(op, self->n_orphans < P11_ORPHANS_MAX, KW_E_UNAVAILABLE,
           "keys that were not finished wait for the token");
    TRY(op, p11_id_new(op, ret));
    self->orphans[self->n_orphans++] = *ret;
    return KW_OK;
}

void p11_orphan_keep(struct p11 *self, const struct p11_id *id)
{
    forget_orphan(self, id);
}

static kw_status make_under_new_id(struct kw_op *op, struct p11 *self, const struct making *making)
{
    struct p11_key *key = making->key;

    pubkey_unref(key->public_key); /* of an attempt before */
    key->public_key = NULL;
    TRY(op, p11_orphan_new(op, self, &key->id));
    TRY(op, make_key(op, self, making));
    p11_orphan_keep(self, &key->id);
    return KW_OK;
}

static kw_status generate_work(struct kw_op *op, struct p11 *self, void *ctx)
{
    const struct making *making = ctx;
    bool knew = self->no_rename;

    TRY(op, check_free(op, self, making->key->label));
    kw_status status = make_under_new_id(op, self, making);
    if (!kw_ok(status) && self->no_rename && !knew) { /* now with the plain label at once */
        kw_op_clear(op);
        TRY(op, p11_take_back(op, self));
        status = make_under_new_id(op, self, making);
    }
    return status;
}

kw_status p11_generate(struct kw_op *op, void *opaque, const char *label, enum key_alg alg,
                       void **ret_key, struct pubkey **ret_public)
{
    struct p11 *self = opaque;
    OS_FD_AUTO int locked = -1;
    AUTO(p11_key) *key = calloc(1, sizeof(*key));
    struct making making = {key, p11_alg_of(alg)};

    ENSURE(op, key, KW_E_MEMORY);
    ENSURE(op, self->algs & KEY_ALG_BIT(alg), KW_E_UNSUPPORTED, "this token makes no %s keys",
           key_alg_text(alg));
    (void)KW_TEXT_SET(key->label, label); /* checked by rot.c */
    TRY(op, p11_lock(op, self, &locked));
    TRY(op, p11_visit(op, self, generate_work, &making));
    *ret_public = pubkey_ref(key->public_key);
    *ret_key = TAKE(key);
    return KW_OK;
}

/* --- destroy --- */

struct destroying {
    const char *label;
    unsigned n;        /* keys of that label; more than one only by somebody else's doing */
    unsigned n_proven; /* of which the old handle was tried */
    struct p11_id ids[HALVES_MAX];
};

static void note_id(struct destroying *to, const struct p11_id *id)
{
    for (unsigned i = 0; i < to->n; i++) {
        if (p11_id_equal(&to->ids[i], id)) {
            return;
        }
    }
    to->ids[to->n++] = *id;
}

/* All that bears the label has to be ours: nobody else's key is destroyed. */
static kw_status gather_class(struct kw_op *op, struct p11 *self, CK_OBJECT_CLASS class,
                              struct destroying *to)
{
    P11_FOUND found = {0};

    TRY(op, p11_find_by_label(op, self, class, to->label, &found));
    for (size_t i = 0; i < found.n; i++) {
        struct p11_id id;
        bool ours = false;
        TRY(op, p11_get_id(op, self, found.at[i], &id, &ours));
        ENSURE(op, ours, KW_E_INTEGRITY,
               "Keywright did not make all that is labelled '%s' in the token; look at it with "
               "the vendor's tool",
               to->label);
        ENSURE(op, to->n < HALVES_MAX, KW_E_INTEGRITY, "too many keys are labelled '%s'",
               to->label);
        note_id(to, &id);
    }
    return KW_OK;
}

/* The handle was good a moment ago. */
static kw_status try_handle(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE handle)
{
    CK_MECHANISM mechanism = {.mechanism = CKM_ECDSA};

    CK_RV rv = self->f->C_SignInit(self->session, &mechanism, handle);
    if (rv == CKR_OK) {
        self->damage = P11_HEAL_SESSION; /* an operation is open now */
    }
    ENSURE(op, rv != CKR_OK, KW_E_DEVICE, "the destroyed key's handle still signs");
    bool gone = rv == CKR_KEY_HANDLE_INVALID || rv == CKR_OBJECT_HANDLE_INVALID;
    return gone ? KW_OK : p11_status(op, self, "C_SignInit", rv);
}

static kw_status destroy_one(struct kw_op *op, struct p11 *self, struct destroying *to,
                             const struct p11_id *id)
{
    P11_FOUND private = {0};

    TRY(op, p11_find_by_id(op, self, CKO_PRIVATE_KEY, id, &private));
    TRY(op, p11_destroy_id(op, self, id));
    for (size_t i = 0; i < private.n; i++) {
        TRY(op, try_handle(op, self, private.at[i]));
        to->n_proven++;
    }
    return KW_OK;
}

static kw_status destroy_work(struct kw_op *op, struct p11 *self, void *ctx)
{
    struct destroying *to = ctx;
    P11_FOUND found = {0};

    TRY(op, gather_class(op, self, CKO_PRIVATE_KEY, to));
    TRY(op, gather_class(op, self, CKO_PUBLIC_KEY, to));
    for (unsigned i = 0; i < to->n; i++) {
        TRY(op, destroy_one(op, self, to, &to->ids[i]));
    }
    TRY(op, p11_sweep(op, self), "clearing up behind an interrupted operation");
    TRY(op, p11_find_by_label(op, self, CKO_PRIVATE_KEY, to->label, &found));
    ENSURE(op, found.n == 0, KW_E_DEVICE, "the token still has a key '%s'", to->label);
    return KW_OK;
}

kw_status p11_destroy(struct kw_op *op, void *opaque, const char *label, char *ret_proof,
                      size_t cap)
{
    struct p11 *self = opaque;
    char id[2 * P11_ID_MAX + 1] = "";
    struct destroying to = {.label = label};
    OS_FD_AUTO int locked = -1;

    TRY(op, p11_lock(op, self, &locked));
    TRY(op, p11_visit(op, self, destroy_work, &to));
    if (to.n == 0) {
        (void)snprintf(ret_proof, cap, "pkcs11 token=%s label=%s absent", self->token.label, label);
        return KW_OK;
    }
    (void)snprintf(ret_proof, cap,
                   "pkcs11 token=%s serial=%s id=%s both halves destroyed, a new search finds none"
                   "%s",
                   self->token.label, self->token.serial,
                   kw_hex(KW_SPAN(to.ids[0].octets, to.ids[0].len), id, sizeof(id)),
                   to.n_proven > 0 ? ", the old handle signs no more"
                                   : ""); /* a short room cuts the line, not the deed */
    return KW_OK;
}
