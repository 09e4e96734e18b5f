/* What operators say of boots and products: docs/protocol/attest.md, section 8. */
#ifndef SERVICE_ATTEST_REFERENCES_H
#define SERVICE_ATTEST_REFERENCES_H

#include "model/attest_reference.h"
#include "service/service.h"
#include "store/attest_policy.h"

/**
 * A reference set from the event log of a genuine unit, open from now on.
 *
 * product  "": for all        pcrs  whose events are judged, of PCRs 0 to 7
 * ret      what it became, without its events
 * KW_E_INPUT no such log, no event in those PCRs; KW_E_CONFLICT the name is taken; KW_E_LIMIT
 * ATTEST_REFERENCES_MAX sets; KW_E_TOO_LARGE.
 */
kw_status attest_reference_add(struct kw_op *op, struct service *service, const char *name,
                               const char *product, const uint8_t pcrs[ATTEST_PCR_MASK],
                               struct kw_span log, struct attest_reference *ret);
/* Devices whose events fit a closed set fail as reference_closed; a forgotten set is unknown. */
enum attest_reference_deed {
    ATTEST_REFERENCE_OPEN,
    ATTEST_REFERENCE_CLOSE,
    ATTEST_REFERENCE_FORGET,
    ATTEST_REFERENCE_UNTRUST, /* closed, and at once all fail whose last boot it was */
    ATTEST_REFERENCE_RETRUST, /* opened, and they stand as before */
    ATTEST_REFERENCE_DEED_MAX
};
kw_status attest_reference_do(struct kw_op *op, struct service *service, const char *name,
                              enum attest_reference_deed deed);
/* The operator's word that the keys of a product's units lie in a secure element (AL1). */
kw_status attest_element_set(struct kw_op *op, struct service *service, const char *product,
                             bool has);

/* Take the trust in a device away at once, whatever it shows, or give it back. why: for people, may
 * be "". KW_E_NOT_FOUND no such device. */
kw_status attest_untrust(struct kw_op *op, struct service *service, const char *device,
                         const char *why);
kw_status attest_retrust(struct kw_op *op, struct service *service, const char *device);
/* The same for all devices whose last good round fitted a reference set; for references.c. */
kw_status attest_untrust_reference(struct kw_op *op, struct service *service, const char *name);
kw_status attest_retrust_reference(struct kw_op *op, struct service *service, const char *name);

/* The patience with failed rounds of a product's units, product "": of all without one of their
 * own. KW_E_INPUT outside attest_patience_fits(). */
kw_status attest_rule_set(struct kw_op *op, struct service *service, const char *product,
                          const struct attest_patience *patience);
/* Back to that of all, or ("") to the built-in one. KW_E_NOT_FOUND there is none. */
kw_status attest_rule_drop(struct kw_op *op, struct service *service, const char *product);

#endif
