/* The operator's command line: `keywright NOUN VERB [ARGUMENT] [--option value]`. */
#ifndef CMD_KEYWRIGHT_CLI_H
#define CMD_KEYWRIGHT_CLI_H

#include <stdbool.h>

#include "api/rest/views.h"
#include "base/bytes.h"
#include "base/op.h"
#include "net/client.h"

/* Options; every verb's row says which of them it takes. */
enum cli_option {
    OPT_JSON,
    OPT_ADMIN,
    OPT_STATE,
    OPT_ORGANIZATION,
    OPT_SERVER_NAME,
    OPT_LISTEN,
    OPT_PORTS,
    OPT_UNLOCK,
    OPT_OFFLINE,
    OPT_SHARES,
    OPT_PROFILES,
    OPT_KEEPER,
    OPT_OPERATOR,
    OPT_USER,
    OPT_KEEPER_USER,
    OPT_PRODUCT,
    OPT_SERIAL,
    OPT_HW_TYPE,
    OPT_HOURS,
    OPT_SECRET_FILE,
    OPT_REASON,
    OPT_OWNER,
    OPT_CA,
    OPT_PROFILE,
    OPT_STATE_IS,
    OPT_EXPIRES,
    OPT_MAX,
    OPT_OUT,
    OPT_VKEY,
    OPT_CLASS,
    OPT_ALG,
    OPT_TUF_ROLE,
    OPT_VERSIONS,
    OPT_LABELS,
    OPT_ESCROW,
    OPT_DAYS,
    OPT_LOG,
    OPT_SHARE_FILE,
    OPT_VAULT,
    OPT_CHECKPOINT,
    OPT_APPROVAL,
    OPT_YES,
    OPT_AS,
    OPT_KEY,
    OPT_PUBLIC,
    OPT_ROLES,
    OPT_APPROVALS,
    OPT_APPROVER,
    OPT_IN_VAULT,
    OPT_PASSPHRASE_FILE,
    OPT_NEW_SECRET,
    OPT_VAULTS,
    OPT_ALL,
    OPT_FORMAT,
    OPT_LANG,
    OPT_KEK,
    OPT_CONTEXT,
    OPT_BATCH,
    OPT_QUOTA,
    OPT_LIST,
    OPT_SECRETS,
    OPT_SINCE,
    OPT_CONSUMER,
    OPT_EXTERNAL,
    OPT_FILTER,
    OPT_ISSUER,
    OPT_CMP,
    OPT_DEVICE,
    OPT_KEY_HASH,
    OPT_FIRMWARE,
    OPT_FIRMWARE_FROM,
    OPT_FIRMWARE_BELOW,
    OPT_SUBJECT_IS,
    OPT_HOLD,
    OPT_REPLACE_FIRST,
    OPT_DRY_RUN,
    OPT_EXPIRES_HOURS,
    OPT_CHAIN,
    OPT_NAME,
    OPT_CSR,
    OPT_SAN,
    OPT_VERTICAL,
    OPT_DOMAIN,
    OPT_PORT,
    OPT_TLS12,
    OPT_PLUGIN,
    OPT_SIMULATED,
    OPT_PCRS,
    OPT_INTO,
    OPT_REFERENCE,
    OPT_REVOKE,
    OPT_MAX_OPTION
};
/* A set of them: more than 64. */
__extension__ typedef unsigned __int128 cli_options;
#define OPT(name) ((cli_options)1 << OPT_##name)

enum { CLI_ARGS_MAX = 2, CLI_APPROVERS_MAX = 16, CLI_ROOTS_MAX = 4 };

struct cli {
    const char *program;                      /* own path, to find the keeper */
    const char *options[OPT_MAX_OPTION];      /* NULL = not given; flags: "" */
    const char *approvers[CLI_APPROVERS_MAX]; /* --approver, as often as it came */
    unsigned n_approvers;
    const char *args[CLI_ARGS_MAX];
    unsigned n_args;
    struct http_client *client;                /* made by cli_connect() */
    struct cert *own[1], *root[CLI_ROOTS_MAX]; /* newest root first */
    unsigned n_roots;
    struct privkey *key;
};

typedef kw_status (*cli_fn)(struct kw_op *op, struct cli *cli);

/* Exit statuses; documented in keywright(1). */
enum cli_exit {
    CLI_OK = 0,
    CLI_REFUSED = 1,
    CLI_USAGE = 2,
    CLI_NOT_FOUND = 3,
    CLI_RETRY = 4,
    CLI_INTEGRITY = 5,
    CLI_APPROVAL = 6, /* asked for; others have to approve it */
    CLI_INTERNAL = 8
};
int cli_exit_status(enum kw_code code);

/* An option's number; default where absent. KW_E_INPUT. */
kw_status cli_number(struct kw_op *op, const struct cli *cli, enum cli_option option,
                     unsigned default_, unsigned max, unsigned *ret);

/* --shares M,N; 2,3 where absent. KW_E_INPUT. */
kw_status cli_shares(struct kw_op *op, const struct cli *cli, unsigned *ret_m, unsigned *ret_n);

/* The same with a body of another kind. */
kw_status cli_post_text(struct kw_op *op, struct cli *cli, const char *path, const char *media,
                        struct kw_span body, struct kw_bytes **ret);
/* A certificate for the key in this request (PEM), by the operator's word; san: "dns:a,ip:b" or
 * NULL. */
kw_status cli_issue(struct kw_op *op, struct cli *cli, const char *profile, const char *name,
                    const char *san, struct kw_span csr, struct issued_view *ret);
/* One REST exchange with the operators' listener. The body is JSON or empty. ret: the answer's
 * body; refusals become op's failure. */
kw_status cli_get(struct kw_op *op, struct cli *cli, const char *path, struct kw_bytes **ret);
kw_status cli_post(struct kw_op *op, struct cli *cli, const char *path, struct kw_span json,
                   struct kw_bytes **ret);
/* "/api/v1/NOUN/ID/VERB"; verb may be NULL. */
kw_status cli_object_path(struct kw_op *op, const char *noun, const char *id, const char *verb,
                          char *path, size_t cap);
/* One object by the id on the command line, printed as cli_show() does. */
kw_status cli_show_object(struct kw_op *op, struct cli *cli, const char *noun,
                          const struct view *view);
/* Do `verb` to it, with --reason where given. */
kw_status cli_post_reason(struct kw_op *op, struct cli *cli, const char *noun, const char *verb,
                          struct kw_bytes **ret);
/* To --out, else to stdout. */
kw_status cli_write_out(struct kw_op *op, const struct cli *cli, struct kw_span content);
/* Where the operator's credential is. */
const char *cli_admin_dir(const struct cli *cli);
/* Load the operator's credential and prepare the connection; those calls do it themselves. */
kw_status cli_connect(struct kw_op *op, struct cli *cli);
void cli_disconnect(struct cli *cli);
/* The server answered that the operation waits for approval (202): show what it is, sign it as who
 * asks, and say who must approve. KW_OK where that was enough, else KW_E_APPROVAL. */
kw_status cli_pending(struct kw_op *op, struct cli *cli, const struct kw_bytes *json);

/* Print an object as "name: value" lines, or as it came with --json. */
kw_status cli_show(struct kw_op *op, const struct cli *cli, const struct view *view,
                   struct kw_span json);
/* All pages of a list as a table of these columns (NULL-terminated field names), or each page as it
 * came with --json. */
kw_status cli_list(struct kw_op *op, struct cli *cli, const char *path, const struct view *page,
                   size_t page_size, const char *const columns[]);

kw_status cli_init(struct kw_op *op, struct cli *cli);
kw_status cli_device_register(struct kw_op *op, struct cli *cli);
kw_status cli_device_list(struct kw_op *op, struct cli *cli);
kw_status cli_device_show(struct kw_op *op, struct cli *cli);
kw_status cli_device_events(struct kw_op *op, struct cli *cli);
kw_status cli_device_secret(struct kw_op *op, struct cli *cli);
kw_status cli_device_retire(struct kw_op *op, struct cli *cli);
kw_status cli_cert_list(struct kw_op *op, struct cli *cli);
kw_status cli_station_list(struct kw_op *op, struct cli *cli);
kw_status cli_station_grant(struct kw_op *op, struct cli *cli);
kw_status cli_station_revoke(struct kw_op *op, struct cli *cli);
kw_status cli_feed_follow(struct kw_op *op, struct cli *cli);
kw_status cli_feed_consumers(struct kw_op *op, struct cli *cli);
kw_status cli_sync_check(struct kw_op *op, struct cli *cli);
kw_status cli_device_import(struct kw_op *op, struct cli *cli);
kw_status cli_device_wipe(struct kw_op *op, struct cli *cli);
kw_status cli_device_unwipe(struct kw_op *op, struct cli *cli);
kw_status cli_device_suspend(struct kw_op *op, struct cli *cli);
kw_status cli_device_resume(struct kw_op *op, struct cli *cli);
kw_status cli_device_readmit(struct kw_op *op, struct cli *cli);
kw_status cli_batch_list(struct kw_op *op, struct cli *cli);
kw_status cli_batch_show(struct kw_op *op, struct cli *cli);
kw_status cli_batch_open(struct kw_op *op, struct cli *cli);
kw_status cli_batch_close(struct kw_op *op, struct cli *cli);
kw_status cli_batch_quarantine(struct kw_op *op, struct cli *cli);
kw_status cli_batch_release(struct kw_op *op, struct cli *cli);
kw_status cli_attest_roots(struct kw_op *op, struct cli *cli);
kw_status cli_attest_trust(struct kw_op *op, struct cli *cli);
kw_status cli_attest_reset(struct kw_op *op, struct cli *cli);
kw_status cli_attest_references(struct kw_op *op, struct cli *cli);
kw_status cli_attest_accept(struct kw_op *op, struct cli *cli);
kw_status cli_attest_open(struct kw_op *op, struct cli *cli);
kw_status cli_attest_close(struct kw_op *op, struct cli *cli);
kw_status cli_attest_forget(struct kw_op *op, struct cli *cli);
kw_status cli_attest_elements(struct kw_op *op, struct cli *cli);
kw_status cli_attest_vouch(struct kw_op *op, struct cli *cli);
kw_status cli_attest_unvouch(struct kw_op *op, struct cli *cli);
kw_status cli_attest_policy(struct kw_op *op, struct cli *cli);
kw_status cli_attest_drop_policy(struct kw_op *op, struct cli *cli);
kw_status cli_attest_crl(struct kw_op *op, struct cli *cli);
kw_status cli_attest_untrust(struct kw_op *op, struct cli *cli);
kw_status cli_attest_retrust(struct kw_op *op, struct cli *cli);
kw_status cli_blocklist_list(struct kw_op *op, struct cli *cli);
kw_status cli_blocklist_add(struct kw_op *op, struct cli *cli);
kw_status cli_blocklist_import(struct kw_op *op, struct cli *cli);
kw_status cli_blocklist_hits(struct kw_op *op, struct cli *cli);
kw_status cli_request_list(struct kw_op *op, struct cli *cli);
kw_status cli_request_show(struct kw_op *op, struct cli *cli);
kw_status cli_request_approve(struct kw_op *op, struct cli *cli);
kw_status cli_request_refuse(struct kw_op *op, struct cli *cli);
kw_status cli_cert_show(struct kw_op *op, struct cli *cli);
kw_status cli_cert_pem(struct kw_op *op, struct cli *cli);
kw_status cli_profile_check(struct kw_op *op, struct cli *cli);
kw_status cli_profile_fields(struct kw_op *op, struct cli *cli);
kw_status cli_cert_issue(struct kw_op *op, struct cli *cli);
kw_status cli_cert_revoke(struct kw_op *op, struct cli *cli);
kw_status cli_cert_hold(struct kw_op *op, struct cli *cli);
kw_status cli_cert_release(struct kw_op *op, struct cli *cli);
kw_status cli_broker_config(struct kw_op *op, struct cli *cli);
kw_status cli_broker_renew(struct kw_op *op, struct cli *cli);
kw_status cli_stats(struct kw_op *op, struct cli *cli);
kw_status cli_cert_download(struct kw_op *op, struct cli *cli);
/* A list as CSV or JSON lines, page by page: --format csv or json, --out FILE. */
kw_status cli_export(struct kw_op *op, struct cli *cli, const char *path, const struct view *page,
                     size_t page_size);
kw_status cli_revoke_plan(struct kw_op *op, struct cli *cli);
kw_status cli_revoke_cancel(struct kw_op *op, struct cli *cli);
kw_status cli_revoke_pause(struct kw_op *op, struct cli *cli);
kw_status cli_revoke_resume(struct kw_op *op, struct cli *cli);
kw_status cli_revoke_readmit(struct kw_op *op, struct cli *cli);
kw_status cli_revoke_run(struct kw_op *op, struct cli *cli);
kw_status cli_revoke_show(struct kw_op *op, struct cli *cli);
kw_status cli_revoke_list(struct kw_op *op, struct cli *cli);
kw_status cli_key_list(struct kw_op *op, struct cli *cli);
kw_status cli_key_show(struct kw_op *op, struct cli *cli);
kw_status cli_key_create(struct kw_op *op, struct cli *cli);
kw_status cli_key_activate(struct kw_op *op, struct cli *cli);
kw_status cli_key_suspend(struct kw_op *op, struct cli *cli);
kw_status cli_key_deactivate(struct kw_op *op, struct cli *cli);
kw_status cli_key_rotate(struct kw_op *op, struct cli *cli);
kw_status cli_key_revoke(struct kw_op *op, struct cli *cli);
kw_status cli_key_archive(struct kw_op *op, struct cli *cli);
kw_status cli_key_destroy(struct kw_op *op, struct cli *cli);
kw_status cli_key_lifecycle(struct kw_op *op, struct cli *cli);
kw_status cli_data_create(struct kw_op *op, struct cli *cli);
kw_status cli_data_list(struct kw_op *op, struct cli *cli);
kw_status cli_data_show(struct kw_op *op, struct cli *cli);
kw_status cli_data_unwrap(struct kw_op *op, struct cli *cli);
kw_status cli_data_rewrap(struct kw_op *op, struct cli *cli);
kw_status cli_ca_list(struct kw_op *op, struct cli *cli);
kw_status cli_ca_create(struct kw_op *op, struct cli *cli);
kw_status cli_ca_rotate(struct kw_op *op, struct cli *cli);
kw_status cli_ca_crl(struct kw_op *op, struct cli *cli);
kw_status cli_ca_sign(struct kw_op *op, struct cli *cli);
kw_status cli_ca_retire(struct kw_op *op, struct cli *cli);
kw_status cli_ca_install(struct kw_op *op, struct cli *cli);
kw_status cli_approval_list(struct kw_op *op, struct cli *cli);
kw_status cli_approval_show(struct kw_op *op, struct cli *cli);
kw_status cli_approval_sign(struct kw_op *op, struct cli *cli);
/* A signature over a request's text, without the server. key: PEM file or pkcs11 URI. */
kw_status cli_approval_sign_text(struct kw_op *op, const char *key, enum approval_verdict verdict,
                                 const char *text, struct kw_out *sig);
kw_status cli_approval_reject(struct kw_op *op, struct cli *cli);
kw_status cli_approval_keygen(struct kw_op *op, struct cli *cli);
kw_status cli_approval_run(struct kw_op *op, struct cli *cli);
kw_status cli_approval_roster(struct kw_op *op, struct cli *cli);
kw_status cli_approval_enroll(struct kw_op *op, struct cli *cli);
kw_status cli_approval_dismiss(struct kw_op *op, struct cli *cli);
kw_status cli_approval_rule(struct kw_op *op, struct cli *cli);
kw_status cli_doctor_acknowledge(struct kw_op *op, struct cli *cli);
kw_status cli_doctor(struct kw_op *op, struct cli *cli);
kw_status cli_vault_status(struct kw_op *op, struct cli *cli);
kw_status cli_vault_open(struct kw_op *op, struct cli *cli);
kw_status cli_vault_seal(struct kw_op *op, struct cli *cli);
kw_status cli_vault_clock(struct kw_op *op, struct cli *cli);
kw_status cli_vault_rekey(struct kw_op *op, struct cli *cli);
kw_status cli_vault_shares(struct kw_op *op, struct cli *cli);
enum { CLI_CSR_TEXT_MAX = 2 * KW_CSR_MAX - 1 };
/* The file of --csr, and the first request in it. KW_E_INPUT no such option, no request in PEM. */
kw_status cli_read_csr(struct kw_op *op, const struct cli *cli, struct kw_bytes **ret_text,
                       struct kw_bytes **ret_der);
/* A certificate in a file, PEM or DER. */
kw_status cli_read_cert(struct kw_op *op, const char *path, struct cert **ret);
kw_status cli_filter_check(struct kw_op *op, struct cli *cli);
kw_status cli_filter_fetch(struct kw_op *op, struct cli *cli);
kw_status cli_lint_cert(struct kw_op *op, struct cli *cli);
kw_status cli_lint_rules(struct kw_op *op, struct cli *cli);
kw_status cli_log_tail(struct kw_op *op, struct cli *cli);
kw_status cli_log_export(struct kw_op *op, struct cli *cli);
kw_status cli_log_verify(struct kw_op *op, struct cli *cli);
kw_status cli_log_prove(struct kw_op *op, struct cli *cli);
kw_status cli_backup_keys(struct kw_op *op, struct cli *cli);
kw_status cli_backup_create(struct kw_op *op, struct cli *cli);
kw_status cli_backup_list(struct kw_op *op, struct cli *cli);
kw_status cli_backup_verify(struct kw_op *op, struct cli *cli);
kw_status cli_restore(struct kw_op *op, struct cli *cli);
kw_status cli_restore_replay(struct kw_op *op, struct cli *cli);
kw_status cli_restore_operator(struct kw_op *op, struct cli *cli);
kw_status cli_restore_accept_loss(struct kw_op *op, struct cli *cli);
kw_status cli_restore_secrets(struct kw_op *op, struct cli *cli);

#endif
