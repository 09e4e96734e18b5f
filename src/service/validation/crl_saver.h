/*
 * Published lists on their way into the store, one after the other and slowly: they are for the
 * next start alone, so everybody else's changes go first. A long list is many pieces, and after
 * each the store is left to others for as long as the piece took.
 */
#ifndef SERVICE_VALIDATION_CRL_SAVER_H
#define SERVICE_VALIDATION_CRL_SAVER_H

#include "service/validation/crl_doc.h"

struct crl_saver;

kw_status crl_saver_new(struct kw_op *op, struct service *service, struct crl_saver **ret);
void crl_saver_free(struct crl_saver *saver);
/* What was put before is kept from here on. */
kw_status crl_saver_start(struct kw_op *op, struct crl_saver *saver);
/* Keeps what was put, without pauses, and ends; the store must be open. */
void crl_saver_stop(struct crl_saver *saver);
/**
 * Keep it under this name soon (crl_doc_load() finds it); a reference is taken. One that waits
 * under the same name is left out. Never blocks for long. Not kept (no memory, the store's errors,
 * which are told to the operator): a new list is made at the next start, no more.
 */
void crl_saver_put(struct crl_saver *saver, const char *name, struct crl_doc *doc);

#endif
