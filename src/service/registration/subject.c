#include "service/registration/subject.h"

#include "crypto/dn.h"
#include "service/authority/subject.h"

kw_status subject_build(struct kw_op *op, struct service *service, const struct profile *profile,
                        const struct store_device *device, struct kw_out *der)
{
    const struct subject_facts facts = {.organization = service->config.organization,
                                        .id = device->id,
                                        .serial = device->serial,
                                        .product = device->product,
                                        .batch = device->batch};

    TRY(op, subject_fill(op, profile->subject_dn, profile->n_subject_dn, &facts, der),
        "name of device '%s'", device->id);
    return KW_OK;
}

struct named {
    struct service *service;
    const struct profile *profile;
    const struct store_device *device;
    struct kw_span subject; /* the request's */
};

/* "" where the name has none. */
static kw_status get(struct kw_op *op, struct kw_span name, const char *type,
                     char ret[KW_NAME_MAX * 2])
{
    kw_status status = dn_get(op, name, type, ret, sizeof(char[KW_NAME_MAX * 2]));

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        ret[0] = '\0';
        return KW_OK;
    }
    return status;
}

/* Who renews hands in the name that it has (RFC 7030 section 4.2.2): what the profile made of it.
 */
static kw_status refuse_other_value(struct kw_op *op, const struct named *it, const char *type,
                                    const char *own)
{
    char asked[KW_NAME_MAX * 2], made[KW_NAME_MAX * 2];
    uint8_t room[KW_DN_MAX];
    struct kw_out name = KW_OUT_ARRAY(room);

    TRY(op, get(op, it->subject, type, asked), "subject of the request");
    if (!*asked || strcmp(asked, own) == 0) {
        return KW_OK;
    }
    TRY(op, subject_build(op, it->service, it->profile, it->device, &name));
    TRY(op, get(op, kw_out_span(&name), type, made));
    ENSURE(op, strcmp(asked, made) == 0, KW_E_DENIED,
           "the request names %s=%s, which is not the one who asks", type, asked);
    return KW_OK;
}

kw_status subject_refuse_other(struct kw_op *op, struct service *service,
                               const struct profile *profile, const struct store_device *device,
                               struct kw_span subject)
{
    const struct named it = {service, profile, device, subject};

    if (subject.len == 0) {
        return KW_OK;
    }
    TRY(op, refuse_other_value(op, &it, "CN", device->id));
    return refuse_other_value(op, &it, "serialNumber", device->serial);
}
