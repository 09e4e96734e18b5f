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

static kw_status refuse_other_value(struct kw_op *op, struct kw_span subject, const char *type,
                                    const char *own)
{
    char asked[KW_NAME_MAX * 2];
    kw_status status = dn_get(op, subject, type, asked, sizeof(asked));

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status, "subject of the request");
    ENSURE(op, strcmp(asked, own) == 0, KW_E_DENIED,
           "the request names %s=%s, which is not the one who asks", type, asked);
    return KW_OK;
}

kw_status subject_refuse_other(struct kw_op *op, struct kw_span subject,
                               const struct store_device *device)
{
    if (subject.len == 0) {
        return KW_OK;
    }
    TRY(op, refuse_other_value(op, subject, "CN", device->id));
    return refuse_other_value(op, subject, "serialNumber", device->serial);
}
