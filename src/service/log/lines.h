/*
 * Lines of the log. The first one has the configured origin and the keys "log", "log.2", …; where a
 * loss was accepted (service/log/loss.h) the log goes on as line n under the origin ORIGIN/n and
 * the keys "log-n", "log-n.2", …, because no key may sign a second history under one origin.
 */
#ifndef SERVICE_LOG_LINES_H
#define SERVICE_LOG_LINES_H

#include "service/service.h"

enum { LOG_LINES_MAX = 1000 };

/* Of the keys of line n: "log", "log-2". */
void log_line_name(unsigned n, char ret[KW_NAME_MAX]);
/* Number of the line that a key id belongs to; 0: it is not named as a key of the log. */
unsigned log_line_of(const char *key_id);
/* Origin of line n. KW_E_LIMIT it would be too long. */
kw_status log_line_origin(struct kw_op *op, const struct service *service, unsigned n,
                          char ret[KW_NAME_MAX]);
/* Which line the store is in: sets service->log_line and config.log_origin. KW_E_INTEGRITY the
 * configuration names another origin than the one under which it went on. */
kw_status log_line_load(struct kw_op *op, struct service *service);
/* Part of a change: from here on the store is in line n, of this origin. */
kw_status log_line_put(struct kw_op *op, struct store_txn *txn, unsigned n, const char *origin);
/* After that change. */
void log_line_take(struct service *service, unsigned n, const char *origin);

#endif
