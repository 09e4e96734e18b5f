/* SIGN_CRL: numbers only rise, also across a crash: the new one is on disk before the signature
 * leaves. */
#include "cmd/keywright-keeper/crl_checks.h"
#include "cmd/keywright-keeper/server.h"
#include "keeper/memfd.h"

static kw_status remember(struct kw_op *op, struct server *server, struct keeper_key *ca,
                          uint64_t number)
{
    uint64_t before = ca->record->crl_number;

    ca->record->crl_number = number;
    kw_status status = keyring_save(op, server->keyring);
    if (!kw_ok(status) && status.code != KW_E_UNSURE) {
        ca->record->crl_number = before; /* nothing was written, nothing was signed */
    }
    return status;
}

static kw_status sign_crl(struct kw_op *op, struct server *server, struct keeper_key *ca,
                          struct kw_span tbs, struct request *request)
{
    AUTO(crl) *crl = NULL;
    uint64_t number = 0;

    TRY(op, crl_parse_tbs(op, tbs, &crl), "TBSCertList");
    struct crl_case c = {.ca = ca, .crl = crl, .now_unix = request->now_unix};
    TRY(op, crl_check_all(op, &c));
    ENSURE(op, crl_number(crl, &number), KW_E_INTERNAL, "checked CRL without a number");
    TRY(op, request_sign(op, server, ca, tbs, request));
    return remember(op, server, ca, number);
}

kw_status handle_sign_crl(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct keeper_key *ca = NULL;
    struct memfd_map map = {0};

    TRY(op, keyring_use(op, server->keyring, msg->key_id, KEEPER_SIGN_CRL, request->now_unix, &ca));
    if (!msg->sign_crl.by_fd) {
        return sign_crl(op, server, ca, msg->sign_crl.tbs, request);
    }
    TRY(op, memfd_map(op, request->fd, msg->sign_crl.len, &map));
    kw_status status = sign_crl(op, server, ca, KW_SPAN(map.p, map.len), request);
    memfd_unmap(&map);
    return status;
}
