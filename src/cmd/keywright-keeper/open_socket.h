/* VAULT/open.sock: one person at a time, root or the vault's owner. */
#ifndef KEEPER_CMD_OPEN_SOCKET_H
#define KEEPER_CMD_OPEN_SOCKET_H

#include "cmd/keywright-keeper/vault_open.h"

struct open_socket {
    int listen_fd; /* -1: none */
    int peer_fd;   /* -1: nobody */
    int64_t peer_mono_ms;
    uid_t owner; /* of the vault's folder */
};

/* Put the socket into the vault's folder (0600); an old one goes. */
kw_status open_socket_listen(struct kw_op *op, const char *vault, struct open_socket *ret);
void open_socket_close(struct open_socket *it);
/* What to poll(2) for reading: both may be -1. */
void open_socket_fds(const struct open_socket *it, int ret[2]);
/* Serve whoever is there, without waiting. True where the vault was opened or sealed. */
bool open_socket_serve(struct open_socket *it, struct vault_opening *opening,
                       struct keyring **keyring, int64_t now_mono_ms);

#endif
