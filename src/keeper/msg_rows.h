/* The functions that the catalogue's rows name; each pair lives in its msg_*.c. */
#ifndef KEEPER_MSG_ROWS_H
#define KEEPER_MSG_ROWS_H

#include "keeper/msg.h"

#define X(name, suffix, number, max, modes, fd)                                                    \
    void enc_##suffix(struct kw_writer *w, const struct keeper_msg *msg);                          \
    void dec_##suffix(struct kw_reader *r, struct keeper_msg *ret);                                \
    void enc_##suffix##_answer(struct kw_writer *w, const struct keeper_answer *answer);           \
    void dec_##suffix##_answer(struct kw_reader *r, struct keeper_answer *ret);
KEEPER_MESSAGES(X)
#undef X

#endif
