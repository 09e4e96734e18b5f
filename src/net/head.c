#include "net/head.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <string.h>

#include "net/conn.h"
#include "net/request.h"

enum { LINE_CAP = TARGET_MAX + 32 /* a method, a version */ };

/* NULL: none, or nothing that we would understand; the engine says so later. Spoils line. */
static const struct route *route_of(struct loop *loop, const struct router *router, char *line)
{
    char *rest = line;
    enum http_method method = router_method(strsep(&rest, " "));
    char *target = strsep(&rest, " ");
    const char *path = NULL;
    const char *query = NULL;
    unsigned allow = 0;

    if (!method || !target ||
        !request_split_target(target + request_origin(target), &path, &query)) {
        return NULL;
    }
    return router_find(router, method, path, &loop->params, &allow);
}

void head_look(struct conn *conn, struct evbuffer *input)
{
    const struct router *router = conn->door->gate->router;
    uint32_t body_max = router_body_max(router);
    char line[LINE_CAP];

    ev_ssize_t n = evbuffer_copyout(input, line, 4);
    conn->route = NULL;
    conn->asks_head = n == 4 && memcmp(line, "HEAD", 4) == 0;
    if (n < 4 || memcmp(line, "GET ", 4) != 0) { /* those have no body worth the look */
        n = evbuffer_copyout(input, line, sizeof(line) - 1);
        char *end = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;
        if (!end && n < (ev_ssize_t)sizeof(line) - 1) {
            return; /* more is to come */
        }
        line[end ? (size_t)(end - line) : 0] = '\0';
        conn->route = route_of(conn->door->loop, router, line);
        body_max = conn->route ? conn->route->body_max : body_max;
    }
    conn->line_seen = true;
    evhttp_connection_set_max_body_size(conn->evcon, (ev_ssize_t)body_max);
}
