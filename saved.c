/* Keys: open, check, prove, sign, describe, list. Making and destroying them is in lifecycle.c. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "os/rng.h"
#include "rot/pkcs11/alg.h"
#include "rot/pkcs11/device.h"

enum { CURVE_ROOM = 64, POINT_ROOM = 128, MODULUS_ROOM = 512, EXPONENT_ROOM = 16 };

/* What a private key of ours has to be, and has to say of itself. */
static const struct {
    CK_ATTRIBUTE_TYPE type;
    bool want;
    const char *word;
} flags[] = {
    {CKA_TOKEN,             true,  "token"            },
    {CKA_PRIVATE,           true,  "private"          },
    {CKA_SENSITIVE,         true,  "sensitive"        },
    {CKA_ALWAYS_SENSITIVE,  true,  "always-sensitive" },
    {CKA_EXTRACTABLE,       false, "extractable"      },
    {CKA_NEVER_EXTRACTABLE, true,  "never-extractable"},
    {CKA_LOCAL,             true,  "local"            },
    {CKA_SIGN,              true,  "sign"             },
    {CKA_SIGN_RECOVER,      false, "sign-recover"     },
    {CKA_DECRYPT,           false, "decrypt"          },
    {CKA_UNWRAP,            false, "unwrap"           },
    {CKA_DERIVE,            false, "derive"           },
};

void p11_key_free(struct p11_key *key)
{
    pubkey_unref(key->public_key);
    free(key);
}

void p11_key_close(void *self, void *key)
{
    (void)self;
    p11_key_free(key);
}

/* --- checks --- */

static kw_status check_flags(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE private)
{
    for (size_t i = 0; i < KW_COUNT(flags); i++) {
        bool is = false;
        TRY(op, p11_get_bool(op, self, private, flags[i].type, &is));
        ENSURE(op, is == flags[i].want, KW_E_INTEGRITY,
               "the token's key is no key of ours: it is %s%s", is ? "" : "not ", flags[i].word);
    }
    return KW_OK;
}

static kw_status get_type(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE object,
                          CK_KEY_TYPE *ret)
{
    size_t len = 0;
    TRY(op, p11_get(op, self, object, CKA_KEY_TYPE, ret, sizeof(*ret), &len));
    ENSURE(op, len == sizeof(*ret), KW_E_INTEGRITY, "the token's key has no type");
    return KW_OK;
}

/* What is no key in our own tree's eyes is none of ours. */
static kw_status judge_public(struct kw_op *op, kw_status status)
{
    ENSURE(op, status.code != KW_E_INPUT && status.code != KW_E_UNSUPPORTED, KW_E_INTEGRITY,
           "the token's public key is not taken here");
    return status;
}

static kw_status read_rsa(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE public,
                          struct pubkey **ret)
{
    uint8_t modulus[MODULUS_ROOM];
    uint8_t exponent[EXPONENT_ROOM];
    size_t n_modulus = 0;
    size_t n_exponent = 0;

    TRY(op, p11_get(op, self, public, CKA_MODULUS, modulus, sizeof(modulus), &n_modulus));
    TRY(op,
        p11_get(op, self, public, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent), &n_exponent));
    kw_status status =
        p11_public_rsa(op, KW_SPAN(modulus, n_modulus), KW_SPAN(exponent, n_exponent), ret);
    return judge_public(op, status);
}

static kw_status read_point(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE public,
                            CK_KEY_TYPE type, struct pubkey **ret)
{
    uint8_t curve[CURVE_ROOM];
    uint8_t point[POINT_ROOM];
    size_t n_curve = 0;
    size_t n_point = 0;

    TRY(op, p11_get(op, self, public, CKA_EC_PARAMS, curve, sizeof(curve), &n_curve));
    const struct p11_alg *alg = p11_alg_find(type, KW_SPAN(curve, n_curve));
    ENSURE(op, alg, KW_E_INTEGRITY, "the token's key has a curve that is not taken here");
    TRY(op, p11_get(op, self, public, CKA_EC_POINT, point, sizeof(point), &n_point));
    return judge_public(op, p11_public_point(op, alg, KW_SPAN(point, n_point), ret));
}

static kw_status read_public(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE public,
                             struct pubkey **ret)
{
    CK_KEY_TYPE type = 0;

    TRY(op, get_type(op, self, public, &type));
    ENSURE(op, type == CKK_RSA || type == CKK_EC || type == CKK_EC_EDWARDS, KW_E_INTEGRITY,
           "the token's key has type 0x%lx, which is not taken here", type);
    kw_status status =
        type == CKK_RSA ? read_rsa(op, self, public, ret) : read_point(op, self, public, type, ret);
    TRY(op, status, "reading the public half");
    return KW_OK;
}

/* --- open --- */

kw_status p11_key_inspect(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE private,
                          struct p11_key *key)
{
    bool ours = false;
    P11_FOUND public = {0};

    TRY(op, p11_get_id(op, self, private, &key->id, &ours));
    ENSURE(op, ours, KW_E_INTEGRITY, "Keywright did not make the token's key '%s'", key->label);
    TRY(op, check_flags(op, self, private));
    TRY(op, p11_find_by_id(op, self, CKO_PUBLIC_KEY, &key->id, &public));
    ENSURE(op, public.n == 1, KW_E_INTEGRITY, "%zu public keys in the token belong to '%s'",
           public.n, key->label);
    TRY(op, read_public(op, self, public.at[0], &key->public_key));
    key->handle = private;
    key->epoch = self->epoch;
    return KW_OK;
}

static kw_status open_key(struct kw_op *op, struct p11 *self, struct p11_key *key)
{
    P11_FOUND private = {0};

    TRY(op, p11_find_by_label(op, self, CKO_PRIVATE_KEY, key->label, &private));
    ENSURE(op, private.n > 0, KW_E_NOT_FOUND, "there is no key '%s'", key->label);
    ENSURE(op, private.n == 1, KW_E_INTEGRITY, "%zu private keys in the token are labelled '%s'",
           private.n, key->label);
    return p11_key_inspect(op, self, private.at[0], key);
}

/* The private half in this epoch; only what was opened before is asked for. */
static kw_status find_again(struct kw_op *op, struct p11 *self, struct p11_key *key)
{
    char label[ROT_LABEL_MAX + 1];
    P11_FOUND found = {0};

    if (key->epoch == self->epoch) {
        return KW_OK;
    }
    TRY(op, p11_find_by_id(op, self, CKO_PRIVATE_KEY, &key->id, &found));
    ENSURE(op, found.n == 1, KW_E_INTEGRITY, "key '%s' is not in the token any more", key->label);
    TRY(op, p11_get_label(op, self, found.at[0], label));
    ENSURE(op, strcmp(label, key->label) == 0, KW_E_INTEGRITY,
           "key '%s' has another label in the token", key->label);
    key->handle = found.at[0];
    key->epoch = self->epoch;
    return KW_OK;
}

/* --- signing --- */

static kw_status ask_signature(struct kw_op *op, struct p11 *self, struct p11_key *key,
                               struct kw_span message, struct kw_out *sig)
{
    const struct p11_alg *alg = p11_alg_of(pubkey_alg(key->public_key));
    CK_MECHANISM mechanism = {.mechanism = alg->sign};
    uint8_t room[P11_INPUT_MAX + EXPONENT_ROOM];
    uint8_t raw[KW_SIG_MAX];
    struct kw_out input = KW_OUT_ARRAY(room);
    CK_ULONG n_raw = sizeof(raw);

    if (alg->alg != KEY_ALG_ED25519) {
        TRY(op, p11_sign_input(op, alg, message, &input));
        message = kw_out_span(&input);
    }
    TRY(op, P11_CALL(op, self, C_SignInit, &mechanism, key->handle));
    TRY(op, P11_CALL(op, self, C_Sign, (CK_BYTE *)(uintptr_t)message.p, message.len, raw, &n_raw));
    ENSURE(op, n_raw <= sizeof(raw), KW_E_DEVICE, "the token's signature makes no sense");
    TRY(op, p11_signature(op, alg, KW_SPAN(raw, n_raw), sig));
    return KW_OK;
}

struct signing {
    struct p11_key *key;
    struct kw_span message;
    struct kw_out *sig;
};

static kw_status sign_work(struct kw_op *op, struct p11 *self, void *ctx)
{
    struct signing *to = ctx;
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);

    TRY(op, find_again(op, self, to->key));
    TRY(op, ask_signature(op, self, to->key, to->message, &sig));
    kw_status verified = pubkey_verify(op, to->key->public_key, to->message, kw_out_span(&sig));
    ENSURE(op, kw_ok(verified), KW_E_DEVICE, "the token's signature does not verify");
    TRY(op, kw_out_set(to->sig, kw_out_span(&sig)), "no room for the signature");
    return KW_OK;
}

kw_status p11_sign(struct kw_op *op, void *self, void *key, enum key_alg alg,
                   struct kw_span message, struct kw_out *sig)
{
    static const uint8_t nothing[1];
    (void)alg;                                         /* the key knows */
    message.p = message.len > 0 ? message.p : nothing; /* some libraries refuse NULL */
    struct signing to = {key, message, sig};
    return p11_visit(op, self, sign_work, &to);
}

kw_status p11_key_prove(struct kw_op *op, struct p11 *self, struct p11_key *key)
{
    uint8_t challenge[32];
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    struct signing to = {key, KW_SPAN_ARRAY(challenge), &sig};

    TRY(op, os_random(op, challenge, sizeof(challenge)));
    TRY(op, sign_work(op, self, &to), "proving that the halves of the key belong together");
    return KW_OK;
}

/* --- load --- */

static kw_status load_work(struct kw_op *op, struct p11 *self, void *ctx)
{
    struct p11_key *key = ctx;

    pubkey_unref(key->public_key); /* of an attempt before */
    key->public_key = NULL;
    TRY(op, open_key(op, self, key));
    TRY(op, p11_key_prove(op, self, key));
    return KW_OK;
}

kw_status p11_load(struct kw_op *op, void *self, const char *label, void **ret_key,
                   struct pubkey **ret_public)
{
    AUTO(p11_key) *key = calloc(1, sizeof(*key));

    ENSURE(op, key, KW_E_MEMORY);
    (void)KW_TEXT_SET(key->label, label); /* checked by rot.c */
    TRY(op, p11_visit(op, self, load_work, key));
    *ret_public = pubkey_ref(key->public_key);
    *ret_key = TAKE(key);
    return KW_OK;
}

/* --- description --- */

struct describing {
    struct p11_key *key;
    char *text;
    size_t cap;
};

static kw_status describe_work(struct kw_op *op, struct p11 *self, void *ctx)
{
    struct describing *to = ctx;
    char id[2 * P11_ID_BYTES + 1];
    AUTO(kw_bytes) *text = NULL;
    const char *bar = " ";

    TRY(op, find_again(op, self, to->key));
    TRY(op, kw_bytes_new(256, &text));
    TRY(op, kw_bytes_printf(text, "pkcs11 token=%s serial=%s id=%s", self->token.label,
                            self->token.serial,
                            kw_hex(KW_SPAN_ARRAY(to->key->id.octets), id, sizeof(id))));
    for (size_t i = 0; i < KW_COUNT(flags); i++) {
        bool is = false;
        TRY(op, p11_get_bool(op, self, to->key->handle, flags[i].type, &is));
        if (is) {
            TRY(op, kw_bytes_printf(text, "%s%s", bar, flags[i].word));
            bar = "|";
        }
    }
    ENSURE(op, text->len < to->cap, KW_E_TOO_LARGE, "no room for the attributes");
    memcpy(to->text, text->p, text->len);
    to->text[text->len] = '\0';
    return KW_OK;
}

kw_status p11_attributes(struct kw_op *op, void *self, void *key, char *text, size_t cap)
{
    struct describing to = {key, text, cap};
    return p11_visit(op, self, describe_work, &to);
}

/* --- list --- */

typedef char p11_label[ROT_LABEL_MAX + 1];

struct listing {
    size_t n;
    p11_label *at;
};

static void listing_done(struct listing *list)
{
    free(list->at);
}

/* Is it a key that was made here and not taken back? Then note its label. */
static kw_status note_key(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE private,
                          struct listing *list)
{
    struct p11_id id;
    bool ours = false;
    char *label = list->at[list->n];

    TRY(op, p11_get_id(op, self, private, &id, &ours));
    if (!ours) {
        return KW_OK;
    }
    TRY(op, p11_get_label(op, self, private, label));
    if (label[0] && strlen(label) < ROT_LABEL_MAX && label[0] != P11_PENDING[0]) {
        list->n++;
    }
    return KW_OK;
}

static kw_status list_work(struct kw_op *op, struct p11 *self, void *ctx)
{
    struct listing *list = ctx;
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted = {CKA_CLASS, &class, sizeof(class)};
    P11_FOUND found = {0};

    TRY(op, p11_find(op, self, &wanted, 1, &found));
    listing_done(list); /* of an attempt before */
    *list = (struct listing){.at = calloc(found.n + 1, sizeof(*list->at))};
    ENSURE(op, list->at, KW_E_MEMORY);
    for (size_t i = 0; i < found.n; i++) {
        TRY(op, note_key(op, self, found.at[i], list));
    }
    return KW_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

kw_status p11_each(struct kw_op *op, void *self,
                   kw_status (*each)(struct kw_op *op, const char *label, void *ctx), void *ctx)
{
    __attribute__((cleanup(listing_done))) struct listing list = {0};

    TRY(op, p11_visit(op, self, list_work, &list));
    qsort(list.at, list.n, sizeof(*list.at), by_text);
    for (size_t i = 0; i < list.n; i++) {
        TRY(op, each(op, list.at[i], ctx));
    }
    return KW_OK;
}
