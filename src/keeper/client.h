/* Inside the gate's side: one request of a keeper, whichever process it is just now. */
#ifndef KEEPER_CLIENT_H
#define KEEPER_CLIENT_H

#include "keeper/channel.h"

struct keeper *keeper_ref(struct keeper *keeper);
/* The last reference frees; keeper_stop() ends the process and gives back the owner's. */
void keeper_unref(struct keeper *keeper);

/**
 * Ask and decode. msg->request_id is filled in from op. ret borrows from room.
 * Errors: the keeper's own code and text, and those of channel_call().
 */
kw_status keeper_call(struct kw_op *op, struct keeper *keeper, enum keeper_row_index row,
                      struct keeper_msg *msg, int pass_fd, struct channel_room *room,
                      struct keeper_answer *ret);

/* The same on a given channel. ret_reply may be NULL: otherwise it is filled also where the keeper
 * refuses. */
kw_status keeper_call_on(struct kw_op *op, struct channel *channel, enum keeper_row_index row,
                         struct keeper_msg *msg, int pass_fd, struct channel_room *room,
                         struct keeper_reply *ret_reply, struct keeper_answer *ret);
/* The channel of the running process, a new reference; KW_E_UNAVAILABLE. */
kw_status keeper_channel(struct kw_op *op, struct keeper *keeper, struct channel **ret);

#endif
