/* SIGN_CRL: a short list at once, a long one between other messages (server_work.c). */
#include "cmd/keywright-keeper/crl_job.h"

static kw_status sign_at_once(struct kw_op *op, struct server *server, const struct keeper_key *ca,
                              struct request *request)
{
    AUTO(crl_job) *job = NULL;
    bool more = true;

    TRY(op, crl_job_new(op, ca, request->msg->sign_crl.tbs, /* map= */ NULL, request, &job));
    TRY(op, crl_job_read(op, job, INT64_MAX, &more));
    TRY(op, crl_job_sign(op, job, server));
    struct kw_span sig = crl_job_request(job)->answer.octets;
    memcpy(request->octets, sig.p, sig.len);
    request->answer.octets = KW_SPAN(request->octets, sig.len);
    return KW_OK;
}

kw_status handle_sign_crl(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct keeper_key *ca = NULL;
    struct memfd_map map = {0};
    AUTO(crl_job) *job = NULL;

    TRY(op, keyring_use(op, server->keyring, msg->key_id, KEEPER_SIGN_CRL, request->now_unix, &ca));
    if (!msg->sign_crl.by_fd) {
        return sign_at_once(op, server, ca, request);
    }
    TRY(op, memfd_map(op, request->fd, msg->sign_crl.len, &map));
    kw_status status = crl_job_new(op, ca, KW_SPAN(map.p, map.len), &map, request, &job);
    memfd_unmap(&map); /* nothing, where the job has it */
    TRY(op, status);
    TRY(op, server_later(op, server, job));
    (void)TAKE(job); /* the server's */
    request->later = true;
    return KW_OK;
}
