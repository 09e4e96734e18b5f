/* Keeps the table of standings filled, and asks it, or the store where it cannot tell. */
#ifndef SERVICE_VALIDATION_STATUS_KEEP_H
#define SERVICE_VALIDATION_STATUS_KEEP_H

#include "service/service.h"
#include "service/validation/status_table.h"

struct status_keep;

/* Before the store is opened: its notices go there (status_keep_hooks). */
kw_status status_keep_new(struct kw_op *op, struct service *service, struct status_keep **ret);
void status_keep_hooks(struct status_keep *keep, struct store_config *config);
/* Start the thread that fills the table, now and whenever a commit's outcome was unknown. */
kw_status status_keep_start(struct kw_op *op, struct status_keep *keep);
void status_keep_stop(struct status_keep *keep);
void status_keep_free(struct status_keep *keep); /* after the store was closed */
struct status_table *status_keep_table(struct status_keep *keep);

/* What a certificate's standing is: from memory, else from the store. KW_E_NOT_FOUND: we never
 * issued it. */
kw_status status_ask(struct kw_op *op, struct service *service, const char *ca,
                     struct kw_span serial, struct status_standing *ret);
/* The same with whose it is; not_before and not_after are the certificate's own. */
kw_status status_ask_all(struct kw_op *op, struct service *service, const char *ca,
                         const struct cert *cert, struct store_cert_status *ret);

#endif
