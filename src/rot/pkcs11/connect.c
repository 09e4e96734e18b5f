/* From a URI to a session that is logged in. */
#include <stdlib.h>

#include "os/clock.h"
#include "rot/dirlock.h"
#include "rot/pkcs11/alg.h"
#include "rot/pkcs11/device.h"

enum { SLOTS_MAX = 256, MECHANISMS_MAX = 1024 };

/* --- which token --- */

/* PKCS#11 pads texts with blanks; nothing but printable ASCII goes on into logs and answers. */
static void copy_text(char *to, const unsigned char *padded, size_t n)
{
    while (n > 0 && (padded[n - 1] == ' ' || padded[n - 1] == '\0')) {
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        to[i] = padded[i] >= 0x20 && padded[i] < 0x7f ? (char)padded[i] : '?';
    }
    to[n] = '\0';
}

static void read_token(const CK_TOKEN_INFO *info, struct p11_token *ret)
{
    copy_text(ret->label, info->label, sizeof(info->label));
    copy_text(ret->manufacturer, info->manufacturerID, sizeof(info->manufacturerID));
    copy_text(ret->model, info->model, sizeof(info->model));
    copy_text(ret->serial, info->serialNumber, sizeof(info->serialNumber));
    ret->firmware = info->firmwareVersion;
    ret->flags = info->flags;
}

struct slots {
    CK_ULONG n;
    CK_SLOT_ID at[SLOTS_MAX];
};

static kw_status list_slots(struct kw_op *op, struct p11 *self, struct slots *ret)
{
    /* Asking for the number is what makes a library look for tokens that came and went. */
    CK_RV rv = self->f->C_GetSlotList(CK_TRUE, NULL, &ret->n);
    TRY(op, p11_status(op, self, "C_GetSlotList", rv));
    ret->n = SLOTS_MAX;
    rv = self->f->C_GetSlotList(CK_TRUE, ret->at, &ret->n);
    TRY(op, p11_status(op, self, "C_GetSlotList", rv));
    ENSURE(op, ret->n <= SLOTS_MAX, KW_E_DEVICE, "the library tells of %lu slots", ret->n);
    return KW_OK;
}

struct search {
    unsigned n;
    CK_SLOT_ID slot;
    struct p11_token token;
    CK_RV failure; /* of a slot that could not be asked; may be the one */
};

static void look_at(const struct p11 *self, CK_SLOT_ID slot, struct search *search)
{
    CK_TOKEN_INFO info = {0};
    CK_RV rv = self->f->C_GetTokenInfo(slot, &info);
    if (rv != CKR_OK) {
        search->failure = rv;
        return;
    }
    if ((info.flags & CKF_TOKEN_INITIALIZED) != 0 && p11_uri_matches(&self->uri, &info)) {
        search->n++;
        search->slot = slot;
        read_token(&info, &search->token);
    }
}

static kw_status find_token(struct kw_op *op, struct p11 *self, struct search *ret)
{
    struct slots slots = {0};

    TRY(op, list_slots(op, self, &slots));
    for (CK_ULONG i = 0; i < slots.n; i++) {
        look_at(self, slots.at[i], ret);
    }
    if (ret->n == 0 && ret->failure != CKR_OK) {
        return p11_status(op, self, "C_GetTokenInfo", ret->failure);
    }
    if (ret->n == 0) {
        return p11_status(op, self, "finding the token", CKR_TOKEN_NOT_PRESENT);
    }
    ENSURE(op, ret->n == 1, KW_E_CONFLICT, "%u tokens are named so; add serial= to the URI",
           ret->n);
    bool same = !self->is_known || (strcmp(self->token.serial, ret->token.serial) == 0 &&
                                    strcmp(self->token.model, ret->token.model) == 0);
    ENSURE(op, same, KW_E_DEVICE, "another token is in its place: serial number '%s', not '%s'",
           ret->token.serial, self->token.serial);
    return KW_OK;
}

/* --- login --- */

static bool is_about_pin(CK_RV rv)
{
    return rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE ||
           rv == CKR_PIN_EXPIRED || rv == CKR_PIN_LOCKED || rv == CKR_USER_PIN_NOT_INITIALIZED;
}

static kw_status judge_login(struct kw_op *op, struct p11 *self, CK_RV rv)
{
    if (rv == CKR_USER_ALREADY_LOGGED_IN) { /* another session of this process */
        return KW_OK;
    }
    if (is_about_pin(rv)) {
        p11_pin_refused(&self->pin);
    } else if (rv == CKR_OK) {
        p11_pin_accepted(&self->pin);
    }
    return p11_status(op, self, "C_Login", rv);
}

static kw_status login_with_file(struct kw_op *op, struct p11 *self, CK_FLAGS flags)
{
    AUTO(kw_secret) *pin = NULL;

    ENSURE(op, (flags & CKF_USER_PIN_LOCKED) == 0, KW_E_DENIED,
           "the token's PIN is locked: the security officer has to reset it");
    ENSURE(op, (flags & CKF_USER_PIN_FINAL_TRY) == 0, KW_E_DENIED,
           "one more wrong PIN locks the token: log in once with the vendor's tool, then retry");
    TRY(op, p11_pin_read(op, &self->pin, &pin));
    CK_RV rv = self->f->C_Login(self->session, CKU_USER, kw_secret_data(pin), kw_secret_len(pin));
    return judge_login(op, self, rv);
}

static kw_status login(struct kw_op *op, struct p11 *self, CK_FLAGS flags)
{
    if ((flags & CKF_LOGIN_REQUIRED) == 0 || kw_ok(p11_check_session(NULL, self))) {
        return KW_OK;
    }
    self->damage = P11_HEAL_NONE; /* not logged in yet is what a new session is */
    if (self->uri.pin_path[0]) {
        return login_with_file(op, self, flags);
    }
    ENSURE(op, (flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0, KW_E_INPUT,
           "the token wants a PIN: write it into a file of mode 0600 and add "
           "pin-source=file:/path to the URI");
    return judge_login(op, self, self->f->C_Login(self->session, CKU_USER, NULL, 0));
}

/* --- session --- */

kw_status p11_check_session(struct kw_op *op, struct p11 *self)
{
    CK_SESSION_INFO info = {0};
    CK_RV rv = self->f->C_GetSessionInfo(self->session, &info);

    TRY(op, p11_status(op, self, "C_GetSessionInfo", rv));
    bool ready =
        info.state == CKS_RW_USER_FUNCTIONS ||
        (info.state == CKS_RW_PUBLIC_SESSION && (self->token.flags & CKF_LOGIN_REQUIRED) == 0);
    if (!ready) {
        return p11_status(op, self, "the session", CKR_USER_NOT_LOGGED_IN);
    }
    return KW_OK;
}

void p11_disconnect(struct p11 *self)
{
    if (self->connected) {
        (void)self->f->C_CloseSession(self->session); /* it may be lost already */
        self->connected = false;
    }
}

kw_status p11_connect(struct kw_op *op, struct p11 *self)
{
    struct search search = {0};

    TRY(op, p11_pin_check(op, &self->pin));
    TRY(op, find_token(op, self, &search));
    CK_RV rv = self->f->C_OpenSession(search.slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                      &self->session);
    TRY(op, p11_status(op, self, "C_OpenSession", rv));
    self->connected = true;
    self->token = search.token;
    kw_status status = login(op, self, search.token.flags);
    if (!kw_ok(status)) {
        p11_disconnect(self);
        return status;
    }
    self->used_ms = os_clock_mono_ms();
    if (!self->is_known) {
        self->slot = search.slot;
        TRY(op, p11_identify(op, self), "asking what the token can do");
        self->is_known = true;
    }
    return KW_OK;
}

/* --- what it can do --- */

static bool has(const CK_MECHANISM_TYPE list[], CK_ULONG n, CK_MECHANISM_TYPE wanted)
{
    for (CK_ULONG i = 0; i < n; i++) {
        if (list[i] == wanted) {
            return true;
        }
    }
    return false;
}

static kw_status read_mechanisms(struct kw_op *op, struct p11 *self, CK_MECHANISM_TYPE list[])
{
    CK_ULONG n = MECHANISMS_MAX;
    CK_RV rv = self->f->C_GetMechanismList(self->slot, list, &n);

    TRY(op, p11_status(op, self, "C_GetMechanismList", rv));
    ENSURE(op, n <= MECHANISMS_MAX, KW_E_DEVICE, "the token tells of %lu mechanisms", n);
    self->algs = 0;
    for (enum key_alg alg = KEY_ALG_NONE + 1; alg < KEY_ALG_MAX; alg++) {
        const struct p11_alg *row = p11_alg_of(alg);
        if (has(list, n, row->make) && has(list, n, row->sign)) {
            self->algs |= KEY_ALG_BIT(alg);
        }
    }
    self->can_seal = has(list, n, CKM_AES_KEY_GEN) && has(list, n, CKM_AES_GCM);
    return KW_OK;
}

kw_status p11_identify(struct kw_op *op, struct p11 *self)
{
    CK_MECHANISM_TYPE *list = calloc(MECHANISMS_MAX, sizeof(*list));
    ENSURE(op, list, KW_E_MEMORY);
    kw_status status = read_mechanisms(op, self, list);
    free(list);
    return status;
}

kw_status p11_lock(struct kw_op *op, const struct p11 *self, int *ret_fd)
{
    if (self->uri.pin_path[0]) {
        TRY(op, rot_file_lock(op, self->uri.pin_path, ret_fd), "waiting for the PIN file");
    }
    return KW_OK;
}
