/* Certificates as the certs-only CMS object that EST answers with (RFC 7030 sections 4.1.3
 * and 4.2.3). */
#ifndef SERVICE_AUTHORITY_CHAIN_H
#define SERVICE_AUTHORITY_CHAIN_H

#include "service/authorities.h"

enum { CHAIN_MAX = 2 * SERVICE_CAS_MAX + PLAN_MAX + 3 * AUTHORITIES_ROOTS_MAX };

/* Every issuing CA of ours with all its keys, cross certificates between these, offline CAs, links
 * between roots, roots: those that are in force. Borrowed. How many. */
unsigned chain_list(const struct authorities *all, int64_t now_s, struct cert *ret[CHAIN_MAX]);
/* May there be so many more? A device takes KW_CA_CERTS_MAX at once. KW_E_LIMIT: when the first of
 * them ends. */
kw_status chain_room(struct kw_op *op, const struct authorities *all, int64_t now_s, unsigned more);
/* The same for a key of an issuing CA, which brings two cross certificates where it is not its
 * first. To be asked before anything of it is made. */
kw_status chain_room_for_key(struct kw_op *op, const struct authorities *all, int64_t now_s,
                             bool first);
/* That list as CMS. ret: DER. */
kw_status chain_of_cas(struct kw_op *op, struct service *service, struct kw_bytes **ret);
/* One issued certificate alone. */
kw_status chain_of_one(struct kw_op *op, const struct store_cert *cert, struct kw_bytes **ret);

#endif
