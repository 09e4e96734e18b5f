/* The three doors of the gate. */
#ifndef CMD_KEYWRIGHTD_LISTENERS_H
#define CMD_KEYWRIGHTD_LISTENERS_H

#include <stdio.h>

#include "api/api.h"

struct listeners;

/* Bind all three; api->server is set. KW_E_CONFLICT names the port that is taken. */
kw_status listeners_open(struct kw_op *op, struct api *api, struct listeners **ret);
/* Serve from now on, and write STATE/run/endpoints (name, address and real port a line). */
kw_status listeners_start(struct kw_op *op, struct listeners *listeners);
/* One line a door, for the journal. */
void listeners_print(const struct listeners *listeners, FILE *out);
/* Drain and close. */
void listeners_free(struct listeners *listeners);
KW_OWNED(listeners, struct listeners, listeners_free)

#endif
