#include "cmd/keywright-keeper/vault_open.h"

#include "base/hex.h"
#include "os/clock.h"

enum {
    SHARES_WAIT_MS = 600000, /* between two people */
    ALLOWED_MS = 600000,
    WAIT_FIRST_MS = 1000,
    WAIT_LAST_MS = 300000,
};

static void forget_shares(struct vault_opening *opening)
{
    for (unsigned i = 0; i < opening->n_shares; i++) {
        kw_secret_free(opening->shares[i]);
        opening->shares[i] = NULL;
    }
    opening->n_shares = 0;
}

void vault_open_done(struct vault_opening *opening)
{
    forget_shares(opening);
    opener_done(&opening->next);
    vault_done(&opening->folder);
}

void vault_open_tick(struct vault_opening *opening, int64_t now_mono_ms)
{
    if (opening->n_shares > 0 && now_mono_ms - opening->share_mono_ms > SHARES_WAIT_MS) {
        forget_shares(opening);
    }
    if (opening->allowed_until_ms && now_mono_ms > opening->allowed_until_ms) {
        opening->allowed_until_ms = 0;
        opener_done(&opening->next);
    }
}

void vault_open_allow(struct vault_opening *opening, int64_t now_mono_ms)
{
    opening->allowed_until_ms = now_mono_ms + ALLOWED_MS;
}

/* --- guesses ---------------------------------------------------------------------------------- */

static kw_status may_guess(struct kw_op *op, const struct vault_opening *opening,
                           int64_t now_mono_ms)
{
    int64_t wait_ms = opening->wait_until_ms - now_mono_ms;

    ENSURE(op, wait_ms <= 0, KW_E_LIMIT, "after %u wrong secrets: wait %lld s", opening->wrong,
           (long long)(wait_ms + 999) / 1000);
    return KW_OK;
}

static void note_guess(struct vault_opening *opening, kw_status status, int64_t now_mono_ms)
{
    if (kw_ok(status)) {
        opening->wrong = 0;
        return;
    }
    if (status.code == KW_E_DENIED || status.code == KW_E_INTEGRITY) {
        int64_t wait_ms = WAIT_LAST_MS;
        if (opening->wrong < 8) {
            wait_ms = (int64_t)WAIT_FIRST_MS << opening->wrong;
        }
        opening->wrong++;
        opening->wait_until_ms = now_mono_ms + wait_ms;
    }
}

/* --- opening ---------------------------------------------------------------------------------- */

/* The folder is unlocked: its keys, and from now on it is open. */
static kw_status load(struct kw_op *op, struct vault_opening *opening, struct keyring **keyring)
{
    char dir[KW_PATH_BYTES];
    struct kw_op again;

    memcpy(dir, opening->folder.dir, sizeof(dir));
    kw_status status = keyring_load(op, &opening->folder, opening->custody, keyring);
    if (kw_ok(status)) {
        opening->fresh = false;
        opening->allowed_until_ms = 0;
        TRY(op, keyring_note_deed(op, *keyring, KEEPER_VAULT_OPENED, 0, os_clock_unix_s()));
        return vault_unmark_sealed(op, &(*keyring)->vault);
    }
    kw_op_init(&again, "keeper", 0);
    (void)kw_ok(vault_attach(&again, dir, /* create= */ false, &opening->folder)); /* the lock */
    return status;
}

/* Make an opener of what was given for this slot. */
typedef kw_status (*make_opener)(struct kw_op *op, const struct vault_opening *opening,
                                 const struct opening_request *request,
                                 const struct vault_slot *slot, struct opener *ret);

static kw_status by_passphrase(struct kw_op *op, const struct vault_opening *opening,
                               const struct opening_request *request, const struct vault_slot *slot,
                               struct opener *ret)
{
    AUTO(kw_secret) *passphrase = NULL;

    (void)opening; /* all is in the request */
    TRY(op, kw_secret_copy(request->secret, &passphrase));
    return opener_passphrase(op, passphrase, slot, ret);
}

static kw_status by_shares(struct kw_op *op, const struct vault_opening *opening,
                           const struct opening_request *request, const struct vault_slot *slot,
                           struct opener *ret)
{
    (void)request; /* its share was put to the others */
    return opener_shares(op, (const struct kw_secret *const *)opening->shares, opening->n_shares,
                         slot, ret);
}

static kw_status unlock(struct kw_op *op, struct vault_opening *opening,
                        const struct opening_request *request, make_opener make)
{
    struct vault_slot slots[2];
    unsigned n = 0;

    TRY(op, vault_slots(op, &opening->folder, slots, &n));
    for (unsigned i = 0;; i++) {
        AUTO_OPENER opener = {0};
        kw_status status = make(op, opening, request, &slots[i], &opener);
        if (kw_ok(status)) {
            status = vault_unlock(op, &opening->folder, i, &opener);
        }
        if (kw_ok(status) || i + 1 == n) {
            return status;
        }
        kw_op_clear(op);
    }
}

static kw_status must_be_sealed(struct kw_op *op, const struct vault_opening *opening,
                                const struct keyring *keyring)
{
    ENSURE(op, !keyring, KW_E_STATE, "the vault is open already");
    ENSURE(op, !opening->fresh, KW_E_STATE, "the vault is new: it has no secret yet");
    return KW_OK;
}

static kw_status take_passphrase(struct kw_op *op, struct vault_opening *opening,
                                 struct keyring **keyring, const struct opening_request *request,
                                 int64_t now_mono_ms)
{
    TRY(op, must_be_sealed(op, opening, *keyring));
    TRY(op, may_guess(op, opening, now_mono_ms));
    kw_status status = unlock(op, opening, request, by_passphrase);
    note_guess(opening, status, now_mono_ms);
    TRY(op, status);
    return load(op, opening, keyring);
}

/* --- new secrets ------------------------------------------------------------------------------ */

static kw_status may_be_new(struct kw_op *op, const struct vault_opening *opening,
                            const struct keyring *keyring)
{
    ENSURE(op, opening->fresh || keyring, KW_E_STATE, "the vault is sealed: open it first");
    ENSURE(op, opening->fresh || opening->allowed_until_ms, KW_E_DENIED,
           "a new secret was not asked for: 'keywright vault rekey' does that");
    return KW_OK;
}

/* The secret is known to those who will need it: use it. */
static kw_status use_new(struct kw_op *op, struct vault_opening *opening, struct keyring **keyring,
                         struct opener *opener)
{
    if (!opening->fresh) {
        opening->allowed_until_ms = 0;
        TRY(op, keyring_rekey(op, *keyring, opener));
        TRY(op, keyring_note_deed(op, *keyring, KEEPER_VAULT_NEW_SECRET, 0, os_clock_unix_s()));
        return keyring_save(op, *keyring);
    }
    TRY(op, vault_fill(op, &opening->folder, opener));
    return load(op, opening, keyring);
}

static kw_status new_passphrase(struct kw_op *op, struct vault_opening *opening,
                                struct keyring **keyring, const struct opening_request *request)
{
    AUTO(kw_secret) *passphrase = NULL;
    AUTO_OPENER opener = {0};

    TRY(op, may_be_new(op, opening, *keyring));
    TRY(op, kw_secret_copy(request->secret, &passphrase));
    TRY(op, opener_new_passphrase(op, passphrase, &opener));
    return use_new(op, opening, keyring, &opener);
}

static kw_status new_shares(struct kw_op *op, struct vault_opening *opening,
                            const struct keyring *keyring, const struct opening_request *request,
                            struct kw_secret *ret_shares[KW_SHARES_MAX], unsigned *ret_n)
{
    TRY(op, may_be_new(op, opening, keyring));
    forget_shares(opening);
    opener_done(&opening->next);
    TRY(op, opener_new_shares(op, request->m, request->n, ret_shares, &opening->next));
    *ret_n = request->n;
    return KW_OK;
}

/* --- shares, one at a time -------------------------------------------------------------------- */

static kw_status slot_for_shares(struct kw_op *op, const struct vault_opening *opening,
                                 const struct share_info *info, struct vault_slot *ret)
{
    struct vault_slot slots[2] = {opening->next.slot};
    unsigned n = 1;

    if (!opening->next.slot.method) {
        TRY(op, vault_slots(op, &opening->folder, slots, &n));
    }
    for (unsigned i = 0; i < n; i++) {
        char set[2 * SHARE_SET_BYTES + 1];
        *ret = slots[i];
        if (slots[i].method == VAULT_SHARES &&
            strcmp(kw_hex(KW_SPAN_ARRAY(slots[i].set), set, sizeof(set)), info->set) == 0) {
            return KW_OK;
        }
    }
    ENSURE(op, n > 0 && ret->method == VAULT_SHARES, KW_E_DENIED,
           "this vault is opened by %s, not by shares",
           n > 0 ? vault_method_text(ret->method) : "nothing");
    char set[2 * SHARE_SET_BYTES + 1];
    return FAIL(op, KW_E_INPUT, "the share is of set %s, this vault's shares are of set %s",
                info->set, kw_hex(KW_SPAN_ARRAY(ret->set), set, sizeof(set)));
}

static kw_status keep_share(struct kw_op *op, struct vault_opening *opening, struct kw_span text,
                            int64_t now_mono_ms, struct vault_slot *ret_slot)
{
    AUTO(kw_secret) *share = NULL;
    struct share_info info;
    struct share_info other;

    TRY(op, kw_secret_copy(text, &share));
    TRY(op, share_check(op, share, &info));
    TRY(op, slot_for_shares(op, opening, &info, ret_slot));
    for (unsigned i = 0; i < opening->n_shares; i++) {
        TRY(op, share_check(op, opening->shares[i], &other));
        ENSURE(op, strcmp(other.set, info.set) == 0, KW_E_INPUT,
               "the shares before are of set %s, this one is of set %s", other.set, info.set);
        ENSURE(op, other.index != info.index, KW_E_CONFLICT, "share %u was given already",
               info.index);
    }
    ENSURE(op, opening->n_shares < KW_SHARES_MAX, KW_E_LIMIT, "too many shares");
    opening->shares[opening->n_shares++] = TAKE(share);
    opening->share_mono_ms = now_mono_ms;
    return KW_OK;
}

/* Enough new shares were given back: they do open. */
static kw_status confirm(struct kw_op *op, struct vault_opening *opening, struct keyring **keyring)
{
    AUTO_OPENER given = {0};
    AUTO_OPENER next = opening->next;

    opening->next = (struct opener){0};
    kw_status status = by_shares(op, opening, NULL, &next.slot, &given);
    forget_shares(opening);
    TRY(op, status);
    ENSURE(op, kw_secret_equal(given.wrapping, next.wrapping), KW_E_INTEGRITY,
           "the new shares give another key");
    return use_new(op, opening, keyring, &next);
}

static kw_status take_share(struct kw_op *op, struct vault_opening *opening,
                            struct keyring **keyring, const struct opening_request *request,
                            int64_t now_mono_ms)
{
    struct vault_slot slot;

    if (!opening->next.slot.method) {
        TRY(op, must_be_sealed(op, opening, *keyring));
        TRY(op, may_guess(op, opening, now_mono_ms));
    }
    TRY(op, keep_share(op, opening, request->secret, now_mono_ms, &slot));
    if (opening->n_shares < slot.m) {
        return KW_OK; /* the next one */
    }
    if (opening->next.slot.method) {
        return confirm(op, opening, keyring);
    }
    kw_status status = unlock(op, opening, request, by_shares);
    note_guess(opening, status, now_mono_ms);
    forget_shares(opening);
    TRY(op, status);
    return load(op, opening, keyring);
}

/* --- sealing ---------------------------------------------------------------------------------- */

/* The gate's own wish is in the log already. */
static kw_status seal_by_person(struct kw_op *op, struct vault_opening *opening,
                                struct keyring **keyring)
{
    ENSURE(op, *keyring, KW_E_STATE, "the vault is sealed already");
    TRY(op, keyring_note_deed(op, *keyring, KEEPER_VAULT_SEALED, 0, os_clock_unix_s()));
    return vault_open_seal(op, opening, keyring);
}

kw_status vault_open_seal(struct kw_op *op, struct vault_opening *opening, struct keyring **keyring)
{
    char dir[KW_PATH_BYTES];

    ENSURE(op, *keyring, KW_E_STATE, "the vault is sealed already");
    TRY(op, keyring_flush(op, *keyring, os_clock_unix_s(), /* all= */ true));
    keyring_give_back(*keyring);
    TRY(op, keyring_save(op, *keyring));
    TRY(op, vault_mark_sealed(op, &(*keyring)->vault));
    memcpy(dir, (*keyring)->vault.dir, sizeof(dir));
    keyring_free(*keyring);
    *keyring = NULL;
    opener_done(&opening->next);
    opening->allowed_until_ms = 0;
    return vault_attach(op, dir, /* create= */ false, &opening->folder);
}

/* As at a start, in a process that may still reach the passphrase file or the device. */
static kw_status open_by_method(struct kw_op *op, struct vault_opening *opening,
                                const struct keyring *keyring)
{
    TRY(op, must_be_sealed(op, opening, keyring));
    ENSURE(op, !unlock_asks(opening->unlock), KW_E_STATE, "the vault needs its secret");
    TRY(op, vault_mark_reopened(op, &opening->folder));
    opening->restart = true;
    return KW_OK;
}

/* --- the whole -------------------------------------------------------------------------------- */

kw_status vault_open_do(struct kw_op *op, struct vault_opening *opening, struct keyring **keyring,
                        const struct opening_request *request, int64_t now_mono_ms,
                        struct kw_secret *ret_shares[KW_SHARES_MAX], unsigned *ret_n)
{
    vault_open_tick(opening, now_mono_ms);
    switch (request->command) {
    case OPENING_STATUS:
        return KW_OK;
    case OPENING_PASSPHRASE:
        return take_passphrase(op, opening, keyring, request, now_mono_ms);
    case OPENING_SHARE:
        return take_share(op, opening, keyring, request, now_mono_ms);
    case OPENING_SEAL:
        return seal_by_person(op, opening, keyring);
    case OPENING_FORGET:
        forget_shares(opening);
        opener_done(&opening->next);
        return KW_OK;
    case OPENING_NEW_PASSPHRASE:
        return new_passphrase(op, opening, keyring, request);
    case OPENING_NEW_SHARES:
        return new_shares(op, opening, *keyring, request, ret_shares, ret_n);
    case OPENING_BY_METHOD:
        return open_by_method(op, opening, *keyring);
    case OPENING_CLOCK:
        ENSURE(op, *keyring, KW_E_STATE, "the vault is sealed: open it first");
        return keyring_confirm_clock(op, *keyring, os_clock_unix_s(), os_clock_up_s());
    case OPENING_COMMAND_MAX:
        break;
    }
    return FAIL(op, KW_E_INTERNAL, "no such command");
}

void vault_open_status(struct kw_op *op, const struct vault_opening *opening,
                       const struct keyring *keyring, int64_t now_mono_ms,
                       struct opening_reply *ret)
{
    const struct vault *vault = keyring ? &keyring->vault : &opening->folder;
    struct vault_slot slots[2] = {opening->next.slot};
    unsigned n = 0;

    ret->open = keyring != NULL;
    ret->fresh = opening->fresh;
    ret->rekey = opening->allowed_until_ms > now_mono_ms;
    ret->given = (uint8_t)opening->n_shares;
    if (!slots[0].method && (opening->fresh || !kw_ok(vault_slots(op, vault, slots, &n)))) {
        return;
    }
    ret->needed = slots[0].m;
    (void)KW_TEXT_SET(ret->method, vault_method_text(slots[0].method)); /* short */
}
