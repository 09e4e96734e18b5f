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
    ATTEST_REFERENCE_FORGET
};
kw_status attest_reference_do(struct kw_op *op, struct service *service, const char *name,
                              enum attest_reference_deed deed);
/* The operator's word that the keys of a product's units lie in a secure element (AL1). */
kw_status attest_element_set(struct kw_op *op, struct service *service, const char *product,
                             bool has);

#endif
