/* Who owns the files of a new state folder. */
#ifndef KEYWRIGHT_OWNERS_H
#define KEYWRIGHT_OWNERS_H

#include "service/config.h"

/* Check config->user, and choose config->keeper_user where it is empty: "keywright-keeper" where
 * there is such a user, else as user. Nothing to do where we are not root or user is "". */
kw_status owners_choose(struct kw_op *op, struct config *config);
/* Give what the server writes to config->user, vault and passphrase file to config->keeper_user.
 * The rest stays ours: the folder itself, the configuration (it says who becomes whom), profiles,
 * and the operator's files. */
kw_status owners_set(struct kw_op *op, const struct config *config);

#endif
