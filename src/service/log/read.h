/* Inside service/log: what signing and reading share. */
#ifndef SERVICE_LOG_READ_H
#define SERVICE_LOG_READ_H

#include "audit/checkpoint.h"
#include "audit/tlog.h"
#include "service/service.h"

#define LOG_CHECKPOINT_BLOB "checkpoint" /* the store's blob: the newest signed head's note */

/* Tiles of the store, for tlog's functions; borrows the service. */
struct tlog_reader log_store_reader(struct service *service);
/* The newest signed head; size 0 before the first. Any thread. */
struct checkpoint log_head_signed(struct service *service);

#endif
