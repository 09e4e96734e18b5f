#include "cmd/keywright-keeper/crl_job.h"

#include <stdlib.h>

#include "cmd/keywright-keeper/crl_checks.h"
#include "crypto/sign_long.h"
#include "os/clock.h"

enum { STEP_ENTRIES = 1024 }; /* between two looks at the clock */

struct crl_job {
    struct keeper_msg msg; /* request id and key id */
    struct request request;
    struct memfd_map map;
    struct kw_span tbs;
    struct crl_reader reader;
    struct long_message *message;
    size_t hashed;
};

void crl_job_free(struct crl_job *job)
{
    if (job) {
        memfd_unmap(&job->map);
        long_message_free(job->message);
        free(job);
    }
}

struct request *crl_job_request(struct crl_job *job)
{
    return &job->request;
}

kw_status crl_job_new(struct kw_op *op, const struct keeper_key *ca, struct kw_span tbs,
                      struct memfd_map *map, const struct request *request, struct crl_job **ret)
{
    AUTO(crl_job) *job = calloc(1, sizeof(*job));

    ENSURE(op, job, KW_E_MEMORY, "no memory for a revocation list");
    if (map) {
        job->map = *map;
        *map = (struct memfd_map){0};
    }
    memcpy(job->msg.request_id, request->msg->request_id, sizeof(job->msg.request_id));
    memcpy(job->msg.key_id, request->msg->key_id, sizeof(job->msg.key_id));
    job->request = (struct request){.msg = &job->msg,
                                    .row = request->row,
                                    .req_id = request->req_id,
                                    .fd = -1,
                                    .now_unix = request->now_unix};
    job->tbs = tbs;
    TRY(op, long_message_new(op, pubkey_alg(keeper_key_pubkey(ca)), &job->message));
    TRY(op, crl_read_begin(op, tbs, &job->reader), "TBSCertList");
    *ret = TAKE(job);
    return KW_OK;
}

/* All that lies behind the reader. */
static kw_status hash_read(struct kw_op *op, struct crl_job *job)
{
    size_t at = crl_read_at(&job->reader);

    TRY(op,
        long_message_add(op, job->message, kw_span_sub(job->tbs, job->hashed, at - job->hashed)));
    job->hashed = at;
    return KW_OK;
}

kw_status crl_job_read(struct kw_op *op, struct crl_job *job, int64_t until_ns, bool *ret_more)
{
    *ret_more = true;
    while (*ret_more) {
        TRY(op, crl_read_entries(op, &job->reader, STEP_ENTRIES, ret_more), "TBSCertList");
        TRY(op, hash_read(op, job));
        if (*ret_more && os_clock_mono_ns() >= until_ns) {
            return KW_OK;
        }
    }
    TRY(op, crl_read_end(op, &job->reader), "TBSCertList");
    return hash_read(op, job);
}

static kw_status sign(struct kw_op *op, struct server *server, struct keeper_key *ca,
                      struct crl_job *job)
{
    struct request *request = &job->request;
    struct kw_out sig = {.p = request->octets, .cap = KW_SIG_MAX};
    uint8_t digest[KW_HASH_BYTES];

    TRY(op, keyring_count(op, server->keyring, ca, os_clock_mono_ms()));
    TRY(op, privkey_sign_long(op, ca->private_key, job->message, job->tbs, &sig),
        "signing with key '%s'", ca->policy.key_id);
    long_message_sha256(job->message, digest);
    TRY(op,
        keyring_note_digest(op, server->keyring, ca, KEEPER_SIGN_CRL, digest, job->msg.request_id));
    request->answer.octets = kw_out_span(&sig);
    return KW_OK;
}

kw_status crl_remember(struct kw_op *op, struct server *server, struct key_record *record,
                       const struct crl_claim *claim)
{
    struct state *state = server->keyring->state;
    uint64_t highest = record->crl_number;
    struct crl_numbers before;

    TRY(op, crl_numbers_set(op, state, record, claim, &before));
    kw_status status = keyring_save(op, server->keyring);
    if (!kw_ok(status) && status.code != KW_E_UNSURE) {
        crl_numbers_take_back(state, &before); /* nothing was written, no signature leaves */
        record->crl_number = highest;
    }
    return status;
}

kw_status crl_job_sign(struct kw_op *op, struct crl_job *job, struct server *server)
{
    const struct crl_reader *crl = &job->reader;
    int64_t now_unix = os_clock_unix_s();
    struct keeper_key *ca = NULL;

    TRY(op, keyring_use(op, server->keyring, job->msg.key_id, KEEPER_SIGN_CRL, now_unix, &ca));
    struct crl_case c = {
        .ca = ca,
        .crl = crl,
        .numbers = crl_numbers_find(server->keyring->state, ca->record, crl->scope.url),
        .claim = {crl->scope.url, crl->number, crl->base_number, crl->this_update},
        .now_unix = now_unix,
    };
    TRY(op, crl_check_all(op, &c));
    TRY(op, sign(op, server, ca, job));
    return crl_remember(op, server, ca->record, &c.claim);
}
