/* Work that would keep others waiting: a slice of it at a time, between their messages. */
#include "cmd/keywright-keeper/crl_job.h"
#include "os/clock.h"

enum { SLICE_NS = 2000000 };

kw_status server_later(struct kw_op *op, struct server *server, struct crl_job *job)
{
    for (unsigned i = 0; i < SERVER_JOBS_MAX; i++) {
        if (!server->jobs[i]) {
            server->jobs[i] = job;
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_LIMIT, "busy: %d long revocation lists are being read, come again",
                SERVER_JOBS_MAX);
}

bool server_has_work(const struct server *server)
{
    return server->jobs[0] != NULL;
}

void server_drop_work(struct server *server)
{
    for (unsigned i = 0; i < SERVER_JOBS_MAX; i++) {
        crl_job_free(server->jobs[i]);
        server->jobs[i] = NULL;
    }
}

/* The first in line is done: tell, and let the others move up. */
static bool finish(struct server *server, struct kw_op *op, kw_status status)
{
    struct crl_job *job = server->jobs[0];

    for (unsigned i = 1; i < SERVER_JOBS_MAX; i++) {
        server->jobs[i - 1] = server->jobs[i];
    }
    server->jobs[SERVER_JOBS_MAX - 1] = NULL;
    bool told = server_conclude(server, op, status, crl_job_request(job));
    crl_job_free(job);
    return told;
}

bool server_work(struct server *server, bool idle)
{
    struct crl_job *job = server->jobs[0];
    int64_t began_ns = os_clock_mono_ns();
    bool more = false;
    struct kw_op op;

    if (!job || (!idle && began_ns < server->rest_until_ns)) {
        return true;
    }
    kw_op_init(&op, "gate", 0);
    kw_status status = server_may(&op, server, crl_job_request(job));
    if (kw_ok(status)) {
        status = crl_job_read(&op, job, began_ns + SLICE_NS, &more);
    }
    if (kw_ok(status) && !more) {
        status = crl_job_sign(&op, job, server);
    }
    bool in_order = kw_ok(status) && more ? true : finish(server, &op, status);
    int64_t ended_ns = os_clock_mono_ns();
    server->rest_until_ns = ended_ns + (ended_ns - began_ns);
    return in_order;
}
