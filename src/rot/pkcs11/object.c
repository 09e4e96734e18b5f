/* Objects in the token: search, attributes, names. */
#include <stdlib.h>

#include "os/rng.h"
#include "rot/pkcs11/device.h"

enum { FIND_STEP = 64, LABEL_ROOM = 256 };

static const uint8_t id_prefix[] = {'K', 'W', 'I', 'D'};

void p11_found_done(struct p11_found *found)
{
    free(found->at);
    *found = (struct p11_found){0};
}

/* --- search --- */

static kw_status collect(struct kw_op *op, struct p11 *self, struct p11_found *into)
{
    for (;;) {
        CK_ULONG n = 0;
        void *larger = realloc(into->at, (into->n + FIND_STEP) * sizeof(*into->at));
        ENSURE(op, larger, KW_E_MEMORY);
        into->at = larger;
        TRY(op, P11_CALL(op, self, C_FindObjects, into->at + into->n, FIND_STEP, &n));
        ENSURE(op, n <= FIND_STEP, KW_E_DEVICE, "the token found more than asked for");
        if (n == 0) {
            return KW_OK;
        }
        into->n += n;
        ENSURE(op, into->n <= P11_FIND_MAX, KW_E_TOO_LARGE, "over %d objects in the token",
               P11_FIND_MAX);
    }
}

kw_status p11_find(struct kw_op *op, struct p11 *self, CK_ATTRIBUTE *wanted, CK_ULONG n_wanted,
                   struct p11_found *ret)
{
    p11_found_done(ret);
    TRY(op, P11_CALL(op, self, C_FindObjectsInit, wanted, n_wanted));
    kw_status status = collect(op, self, ret);
    CK_RV rv = self->f->C_FindObjectsFinal(self->session);
    TRY(op, status, "searching the token");
    TRY(op, p11_status(op, self, "C_FindObjectsFinal", rv));
    if (ret->n == 0) {
        TRY(op, p11_check_session(op, self));
    }
    return KW_OK;
}

kw_status p11_find_by_id(struct kw_op *op, struct p11 *self, CK_OBJECT_CLASS class,
                         const struct p11_id *id, struct p11_found *ret)
{
    struct p11_id wanted_id = *id;
    CK_ATTRIBUTE wanted[] = {
        {CKA_CLASS, &class,           sizeof(class)},
        {CKA_ID,    wanted_id.octets, wanted_id.len},
    };
    return p11_find(op, self, wanted, KW_COUNT(wanted), ret);
}

kw_status p11_find_by_label(struct kw_op *op, struct p11 *self, CK_OBJECT_CLASS class,
                            const char *label, struct p11_found *ret)
{
    CK_ATTRIBUTE wanted[] = {
        {CKA_CLASS, &class,                   sizeof(class)},
        {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)}, /* PKCS#11 has no const */
    };
    return p11_find(op, self, wanted, KW_COUNT(wanted), ret);
}

/* --- attributes --- */

/* Is it really so long? Otherwise the token's word for it is a fault. */
static bool is_longer(const struct p11 *self, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                      size_t cap)
{
    CK_ATTRIBUTE attribute = {type, NULL, 0};

    CK_RV rv = self->f->C_GetAttributeValue(self->session, object, &attribute, 1);
    return rv == CKR_OK && attribute.ulValueLen != CK_UNAVAILABLE_INFORMATION &&
           attribute.ulValueLen > cap;
}

kw_status p11_get(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE object,
                  CK_ATTRIBUTE_TYPE type, void *room, size_t cap, size_t *ret_len)
{
    CK_ATTRIBUTE attribute = {type, room, cap};

    CK_RV rv = self->f->C_GetAttributeValue(self->session, object, &attribute, 1);
    bool absent = rv == CKR_ATTRIBUTE_TYPE_INVALID ||
                  (rv == CKR_OK && attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION);
    if (absent) {
        *ret_len = 0;
        return KW_OK;
    }
    bool too_long = rv == CKR_BUFFER_TOO_SMALL && is_longer(self, object, type, cap);
    ENSURE(op, !too_long, KW_E_TOO_LARGE, "attribute 0x%lx is too long", type);
    TRY(op, p11_status(op, self, "C_GetAttributeValue", rv));
    ENSURE(op, attribute.ulValueLen <= cap, KW_E_DEVICE, "attribute 0x%lx makes no sense", type);
    *ret_len = attribute.ulValueLen;
    return KW_OK;
}

kw_status p11_get_bool(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE object,
                       CK_ATTRIBUTE_TYPE type, bool *ret)
{
    CK_BBOOL value = CK_FALSE;
    size_t len = 0;

    TRY(op, p11_get(op, self, object, type, &value, sizeof(value), &len));
    *ret = len == sizeof(value) && value != CK_FALSE;
    return KW_OK;
}

kw_status p11_get_id(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE object,
                     struct p11_id *ret, bool *ret_ours)
{
    struct p11_id id = {0};

    kw_status status = p11_get(op, self, object, CKA_ID, id.octets, sizeof(id.octets), &id.len);
    if (status.code == KW_E_TOO_LARGE) {
        kw_op_clear(op); /* somebody else's */
        id = (struct p11_id){0};
    } else {
        TRY(op, status);
    }
    *ret = id;
    *ret_ours = id.len == P11_ID_BYTES && memcmp(id.octets, id_prefix, sizeof(id_prefix)) == 0;
    return KW_OK;
}

kw_status p11_get_label(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE object,
                        char label[ROT_LABEL_MAX + 1])
{
    char room[LABEL_ROOM];
    size_t len = 0;

    label[0] = '\0';
    kw_status status = p11_get(op, self, object, CKA_LABEL, room, sizeof(room), &len);
    if (status.code == KW_E_TOO_LARGE) {
        kw_op_clear(op); /* somebody else's */
        return KW_OK;
    }
    TRY(op, status);
    if (len <= ROT_LABEL_MAX && !memchr(room, '\0', len)) {
        memcpy(label, room, len);
        label[len] = '\0';
    }
    return KW_OK;
}

kw_status p11_set_label(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE object,
                        const char *label)
{
    CK_ATTRIBUTE attribute = {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)};
    return P11_CALL(op, self, C_SetAttributeValue, object, &attribute, 1);
}

kw_status p11_id_new(struct kw_op *op, struct p11_id *ret)
{
    *ret = (struct p11_id){.len = P11_ID_BYTES};
    memcpy(ret->octets, id_prefix, sizeof(id_prefix));
    return os_random(op, ret->octets + sizeof(id_prefix), P11_ID_BYTES - sizeof(id_prefix));
}

bool p11_id_equal(const struct p11_id *a, const struct p11_id *b)
{
    return kw_span_equal(KW_SPAN(a->octets, a->len), KW_SPAN(b->octets, b->len));
}
