/* VAULT_STATUS, VAULT_SEAL, VAULT_REKEY. */
#include "cmd/keywright-keeper/approvals.h"
#include "cmd/keywright-keeper/server.h"
#include "os/clock.h"

kw_status handle_vault_status(struct kw_op *op, struct server *server, struct request *request)
{
    struct keeper_vault_status *vault = &request->answer.vault;
    struct opening_reply reply = {0};

    vault_open_status(op, &server->opening, server->keyring, os_clock_mono_ms(), &reply);
    kw_op_clear(op); /* a header that cannot be read shows as no method */
    *vault = (struct keeper_vault_status){
        .open = reply.open, .given = reply.given, .needed = reply.needed};
    memcpy(vault->method, reply.method, sizeof(vault->method));
    if (server->keyring) {
        vault->generation = server->keyring->vault.generation;
        vault->clock_off_s = keyring_clock_off(server->keyring, request->now_unix);
    }
    const struct custody none = {.uri = server->opening.custody};
    custody_text(server->keyring ? &server->keyring->custody : &none, vault->custody);
    return KW_OK;
}

kw_status handle_vault_seal(struct kw_op *op, struct server *server, struct request *request)
{
    (void)request; /* has no field */
    kw_status status = vault_open_seal(op, &server->opening, &server->keyring);
    if (!server->keyring) {
        server->mode = KEEPER_SEALED;
    }
    return status;
}

kw_status handle_vault_rekey(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct approval_subject subject =
        approval_subject_of(APPROVE_VAULT_SHARES, KEY_CLASS_NONE, NULL);

    if (msg->vault_rekey.new_secret) {
        TRY(op, approvals_require(op, server, &subject, msg->vault_rekey.approval_id));
        vault_open_allow(&server->opening, os_clock_mono_ms());
    } else {
        TRY(op, keyring_save(op, server->keyring));
        TRY(op, keyring_rekey(op, server->keyring, NULL));
    }
    request->answer.vault.generation = server->keyring->vault.generation;
    return KW_OK;
}
