/* The names of devices in certificates: always from the registry. */
#ifndef SERVICE_REGISTRATION_SUBJECT_H
#define SERVICE_REGISTRATION_SUBJECT_H

#include "service/service.h"

/* As the profile writes it (subject_dn), of what the registry knows of the device. */
kw_status subject_build(struct kw_op *op, struct service *service, const struct profile *profile,
                        const struct store_device *device, struct kw_out *der);
/* A request's subject may be empty or name this device, by its id and serial number or as the
 * profile will; KW_E_DENIED where it names another one. */
kw_status subject_refuse_other(struct kw_op *op, struct service *service,
                               const struct profile *profile, const struct store_device *device,
                               struct kw_span subject);

#endif
