/* Between the files of the client. */
#ifndef NET_CLIENT_INTERNAL_H
#define NET_CLIENT_INTERNAL_H

#include <curl/curl.h>

#include "net/client.h"
#include "net/tls_client.h"

struct http_client {
    CURL *curl;             /* NULL: no memory for it after http_client_disconnect() */
    struct tls_client *tls; /* NULL: plain HTTP */
    char *base_url;
    struct http_client_config config; /* numbers only, defaults filled in */
    const char *exporter_label;
    bool has_exporter; /* of the connection that the last call went over */
    uint8_t exporter[HTTP_EXPORTER];
    /* Of the call at work: */
    const uint8_t *want_exporter; /* of the only connection that will do; NULL = any will */
    bool moved;                   /* … and it is gone */
    bool safe;                    /* GET, HEAD: to send it twice does no harm */
    unsigned n_sent;              /* connections on which it was begun */
    bool too_large, no_memory;
    bool whole_head; /* libcurl takes headers that break off for whole ones */
    struct http_answer answer;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
};

/* Set libcurl up for one call (client_request.c). What it allocates is freed by
 * client_wipe_request(). */
kw_status client_prepare(struct kw_op *op, struct http_client *client,
                         const struct http_call *call);
/* Overwrite and free the request's headers: a secret may be among them. */
void client_wipe_request(struct http_client *client);

/* libcurl's callbacks; arg: the client (client_answer.c). */
CURLcode client_on_ssl_ctx(CURL *curl, void *ssl_ctx, void *arg);
int client_on_request(void *arg, char *to_ip, char *from_ip, int to_port, int from_port);
size_t client_on_body(char *data, size_t one, size_t n, void *arg);
size_t client_on_header(char *data, size_t one, size_t n, void *arg);

#endif
