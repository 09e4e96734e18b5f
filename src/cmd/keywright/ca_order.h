/* What comes to be signed offline; shared by ca_sign.c and ca_root.c. */
#ifndef CMD_KEYWRIGHT_CA_ORDER_H
#define CMD_KEYWRIGHT_CA_ORDER_H

#include "cmd/keywright/cli.h"
#include "service/keys/ca_birth.h"

/* Two lines of JSON and no more: where the CA will live, and what it shall be. KW_E_INPUT. */
kw_status ca_order_read(struct kw_op *op, struct kw_span text, struct ca_place *ret_place,
                        struct authority *ret);

/* Does a request begin with a certificate: is it the root's? */
bool ca_root_is_request(struct kw_span text);
/* `ca sign` of it: makes the next root in --into, and prints its bundle. */
kw_status ca_root_sign(struct kw_op *op, const struct cli *cli, struct kw_span text);
/* `ca install` of the bundle. */
kw_status ca_root_install(struct kw_op *op, struct cli *cli, struct kw_span bundle);
/* `ca install` of an offline CA's next list. */
kw_status ca_crl_install(struct kw_op *op, struct cli *cli, struct kw_span pem);

#endif
