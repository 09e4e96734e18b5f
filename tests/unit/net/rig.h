/* What the tests of net/ share: certificates, a server with routes of every kind, raw clients. Also
 * used by bench/. */
#ifndef TESTS_NET_RIG_H
#define TESTS_NET_RIG_H

#include <stdatomic.h>

#include "net/client.h"
#include "net/server.h"

enum who {
    WHO_SERVER,    /* dns:localhost, ip:127.0.0.1 */
    WHO_DEVICE,    /* client certificate of a device */
    WHO_DEVICE_2,  /* another one */
    WHO_IDEVID,    /* without extended key usage, never expires */
    WHO_WRONG_USE, /* for servers only */
    WHO_EXPIRED,
    WHO_STRANGER, /* of another root */
    WHO_SERVER_2, /* another certificate and key of the server */
    WHO_MAX
};
struct pki {
    struct cert *root, *ca, *other_root;
    struct privkey *root_key, *ca_key, *other_key;
    struct cert *leaf[WHO_MAX];
    struct privkey *key[WHO_MAX];
};
/* Made at the first call, kept until the program ends. */
const struct pki *rig_pki(void);

/* What the rig's hooks do and saw. */
struct rig {
    struct http_server *server;
    struct tls_server *tls;
    uint16_t plain_port, tls_port;
    atomic_int judge_code;        /* enum kw_code that the judge gives */
    atomic_int authenticate_code; /* … and authenticate() for connections with a certificate */
    atomic_uint n_observed, n_handled, n_released, n_loop_calls, n_pool_calls;
    atomic_int last_status, last_code;
    atomic_uint n_without_route;
    atomic_uint n_refused; /* handshakes of which the observer heard … */
    char refused[512];     /* … and what, of the latest */
};

struct rig_options {
    struct http_server_config server; /* 0 = defaults */
    unsigned connections_max;         /* 0 = 2000 */
    bool client_required;
    bool leaf_only;            /* clients may send their leaf only */
    const struct privkey *key; /* of the server instead of the soft one */
    const enum who *identity;  /* of the server instead of WHO_SERVER */
};
struct rig *rig_start(const struct rig_options *options); /* NULL = defaults */
void rig_stop(struct rig *rig);

/* What rig_start() makes the TLS server of; who: its identity. */
struct tls_server_config rig_tls_config(struct rig *rig, enum who who);

/* A client of the rig's; who: WHO_MAX = without certificate. */
struct http_client *rig_client(const struct rig *rig, bool tls, enum who who);
struct http_client_config rig_client_config(const struct rig *rig, bool tls, enum who who,
                                            char url[64]);

/* Raw connections with time limits of 5 s. */
int raw_connect(uint16_t port);
void raw_send(int fd, const char *text);
/* Read until the peer closes, or text has come (NULL: only the close), into room; returns octets.
 */
size_t raw_read(int fd, char *room, size_t cap, const char *until);
/* One request, one answer (until the connection ends); returns its status. */
int raw_exchange(uint16_t port, const char *request, char *answer, size_t cap);

#endif
