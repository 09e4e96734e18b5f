/* Requests for a certificate that wait for an officer of the registration authority: their states.
 */
#ifndef MODEL_REQUEST_H
#define MODEL_REQUEST_H

#include "base/status.h"

/* Stored: append only. RA_NONE: before it was made; RA_ANY in filters. */
enum ra_state {
    RA_NONE = 0,
    RA_WAITING,  /* nobody has decided */
    RA_APPROVED, /* to be issued when its asker asks again */
    RA_REFUSED,  /* for ever; another request may be made */
    RA_ISSUED,   /* the certificate exists */
    RA_LAPSED,   /* nobody decided, or nobody came for it, in time */
    RA_STATE_MAX
};
enum ra_event { RA_OPEN, RA_APPROVE, RA_REFUSE, RA_ISSUE, RA_LAPSE, RA_EVENT_MAX };

const char *ra_state_text(enum ra_state state);
enum ra_state ra_state_from_text(const char *text); /* RA_STATE_MAX where unknown */
const char *ra_event_text(enum ra_event event);
/* May anything still become of it? */
bool ra_state_open(enum ra_state state);
/* The only way from one state to the next. KW_E_STATE. */
kw_status ra_step(enum ra_state from, enum ra_event event, enum ra_state *ret);

#endif
