/*
 * Two-person control for people: what waits, what it says, and signatures over exactly that text.
 * The text is shown before it is signed, and only a text in its one canonical form is signed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/b64.h"
#include "base/pem.h"
#include "base/time.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "crypto/dn.h"
#include "model/approval.h"
#include "os/files.h"
#include "rot/rot.h"

enum { KEY_FILE_MAX = 16384, PATH_ROOM = 96 };

/* --- whose signature -------------------------------------------------------------------------- */

struct signer {
    char name[KW_NAME_MAX];
    struct privkey *key;
    struct rot *rot; /* of a token's key; open until the signature is made */
};

static void signer_done(struct signer *signer)
{
    privkey_unref(signer->key);
    rot_close(signer->rot);
}

static kw_status load_file(struct kw_op *op, const char *path, struct privkey **ret)
{
    AUTO(kw_secret) *pem = NULL;
    AUTO(kw_bytes) *der = NULL;
    AUTO(kw_secret) *pkcs8 = NULL;

    TRY(op, os_file_read_secret(op, path, KEY_FILE_MAX, &pem), "key %s", path);
    struct kw_span rest = kw_secret_span(pem);
    TRY(op, kw_pem_next(&rest, "PRIVATE KEY", KEY_FILE_MAX, &der), "%s is no PEM of a PKCS#8 key",
        path);
    kw_status status = kw_secret_copy(kw_bytes_span(der), &pkcs8);
    kw_wipe(der->p, der->len);
    TRY(op, status);
    return privkey_from_pkcs8(op, pkcs8, ret);
}

/* "pkcs11:token=T;object=LABEL?…": the token's URI without the object, and the object's label. */
static kw_status split_uri(struct kw_op *op, const char *uri, char token[KW_URI_MAX],
                           char label[KW_NAME_MAX])
{
    static const char name[] = ";object=";
    const char *object = strstr(uri, name);

    ENSURE(op, object, KW_E_INPUT,
           "--key %.30s…: name the key too, as in 'pkcs11:token=T;object=LABEL?…'", uri);
    const char *value = object + sizeof(name) - 1;
    size_t n = strcspn(value, ";?");
    ENSURE(op, n > 0 && n < KW_NAME_MAX && strlen(uri) < KW_URI_MAX, KW_E_INPUT,
           "--key: the label or the URI is too long");
    (void)snprintf(label, KW_NAME_MAX, "%.*s", (int)n, value);
    (void)snprintf(token, KW_URI_MAX, "%.*s%s", (int)(object - uri), uri, value + n);
    return KW_OK;
}

static kw_status load_token(struct kw_op *op, const char *uri, struct signer *ret)
{
    char token[KW_URI_MAX], label[KW_NAME_MAX];
    AUTO(rot_key) *key = NULL;

    TRY(op, split_uri(op, uri, token, label));
    TRY(op, rot_open(op, token, &ret->rot), "token");
    TRY(op, rot_key_load(op, ret->rot, label, &key), "key '%s' of the token", label);
    return rot_key_privkey(op, TAKE(key), &ret->key);
}

/* In the token, never outside it; the public half goes to whoever enrols the person. */
kw_status cli_approval_keygen(struct kw_op *op, struct cli *cli)
{
    char token[KW_URI_MAX], label[KW_NAME_MAX];
    AUTO(rot) *rot = NULL;
    AUTO(rot_key) *key = NULL;
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, split_uri(op, cli->args[0], token, label));
    TRY(op, rot_open(op, token, &rot), "token");
    TRY(op, rot_key_generate(op, rot, label, KEY_ALG_EC_P256, &key), "key '%s'", label);
    TRY(op, kw_bytes_new(512, &pem));
    TRY(op, kw_pem_encode("PUBLIC KEY", pubkey_spki(rot_key_public(key)), pem));
    return cli_write_out(op, cli, kw_bytes_span(pem));
}

static kw_status load_key(struct kw_op *op, const char *key, struct signer *ret)
{
    return strncmp(key, "pkcs11:", 7) == 0 ? load_token(op, key, ret)
                                           : load_file(op, key, &ret->key);
}

static kw_status load_signer(struct kw_op *op, struct cli *cli, struct signer *ret)
{
    const char *as = cli->options[OPT_AS], *key = cli->options[OPT_KEY];

    TRY(op, cli_connect(op, cli));
    if (as) {
        ENSURE(op, KW_TEXT_SET(ret->name, as), KW_E_INPUT, "--as: the name is too long");
    } else {
        TRY(op, dn_get(op, cert_subject(cli->own[0]), "CN", ret->name, sizeof(ret->name)),
            "the operator's name in the certificate (give --as NAME)");
    }
    if (!key) {
        ret->key = privkey_ref(cli->key);
        return KW_OK;
    }
    return load_key(op, key, ret);
}

/* --- one request ------------------------------------------------------------------------------ */

static kw_status path_of(struct kw_op *op, const char *id, const char *verb, char path[PATH_ROOM])
{
    ENSURE(op, *id && strspn(id, "0123456789") == strlen(id) && strlen(id) < 20, KW_E_INPUT,
           "'%.20s' is no number of a request; see 'keywright approval list'", id);
    (void)snprintf(path, PATH_ROOM, "/api/v1/approvals/%s%s", id, verb);
    return KW_OK;
}

static kw_status decode(struct kw_op *op, const struct kw_bytes *json, struct approval_view *ret)
{
    struct approval_description what;

    memset(ret, 0, sizeof(*ret));
    TRY(op, codec_json_decode(op, kw_bytes_span(json), approval_view.fields, approval_view.n, ret),
        "the server's answer");
    ENSURE(op,
           kw_ok(approval_text_parse(kw_span_text(ret->text), &what)) &&
               what.id == ret->id % 1000000,
           KW_E_DEVICE, "the server's text is not in its canonical form; nothing was signed");
    return KW_OK;
}

static kw_status fetch(struct kw_op *op, struct cli *cli, const char *id, struct approval_view *ret)
{
    char path[PATH_ROOM];
    AUTO(kw_bytes) *json = NULL;

    TRY(op, path_of(op, id, "", path));
    TRY(op, cli_get(op, cli, path, &json));
    return decode(op, json, ret);
}

/* Where it stands, who is missing and until when; on one line. */
static void print_state(const struct approval_view *view)
{
    char when[KW_TIME_TEXT];

    (void)printf("request %llu: %s, %u of %u approvals", (unsigned long long)view->id, view->state,
                 (unsigned)view->have, (unsigned)view->needed);
    if (strcmp(view->state, "open") != 0) {
        (void)printf("\n");
        return;
    }
    if (view->n_signers == 0) {
        (void)printf("; %s must sign it first: keywright approval sign %llu", view->requester,
                     (unsigned long long)view->id);
    } else if (*view->missing) {
        (void)printf("; can approve: %s (keywright approval sign %llu)", view->missing,
                     (unsigned long long)view->id);
    } else if (view->have >= view->needed) {
        (void)printf("; approved, not done yet (keywright approval run %llu)",
                     (unsigned long long)view->id);
    }
    (void)printf("; until %s\n", kw_time_text(view->deadline_s, when));
}

static kw_status print_answer(struct kw_op *op, const struct cli *cli, const struct kw_bytes *json)
{
    struct approval_view view;

    if (cli->options[OPT_JSON]) {
        (void)printf("%.*s\n", (int)json->len, (const char *)json->p);
        return KW_OK;
    }
    TRY(op, decode(op, json, &view));
    print_state(&view);
    return KW_OK;
}

/* --- signing ---------------------------------------------------------------------------------- */

static kw_status sign_text(struct kw_op *op, const struct signer *signer,
                           enum approval_verdict verdict, const char *text, struct kw_out *sig)
{
    uint8_t octets[APPROVAL_SIGNED_MAX];
    struct kw_out message = KW_OUT_ARRAY(octets);

    TRY(op, approval_signed_octets(verdict, kw_span_text(text), &message), "the text");
    return privkey_sign(op, signer->key, kw_out_span(&message), sig);
}

kw_status cli_approval_sign_text(struct kw_op *op, const char *key, enum approval_verdict verdict,
                                 const char *text, struct kw_out *sig)
{
    struct signer signer = {0};

    kw_status status = load_key(op, key, &signer);
    if (kw_ok(status)) {
        status = sign_text(op, &signer, verdict, text, sig);
    }
    signer_done(&signer);
    return status;
}

static kw_status make_signature(struct kw_op *op, const struct signer *signer,
                                enum approval_verdict verdict, const char *text,
                                struct kw_bytes *json)
{
    uint8_t sig_octets[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(sig_octets);

    TRY(op, sign_text(op, signer, verdict, text, &sig), "signing");
    TRY(op, kw_bytes_printf(json, "{\"verdict\":\"%s\",\"name\":", approval_verdict_text(verdict)));
    TRY(op, codec_json_string(kw_span_text(signer->name), json), "the name");
    TRY(op, kw_bytes_append_text(json, ",\"signature\":\""));
    TRY(op, kw_b64_encode(kw_out_span(&sig), 0, json));
    return kw_bytes_append_text(json, "\"}");
}

static kw_status send_signature(struct kw_op *op, struct cli *cli, const struct approval_view *view,
                                enum approval_verdict verdict, struct kw_bytes **ret)
{
    struct signer signer = {0};
    char id[24], path[PATH_ROOM];
    AUTO(kw_bytes) *json = NULL;

    TRY(op, kw_bytes_new(1024, &json));
    kw_status status = load_signer(op, cli, &signer);
    if (kw_ok(status)) {
        status = make_signature(op, &signer, verdict, view->text, json);
    }
    signer_done(&signer);
    TRY(op, status);
    (void)snprintf(id, sizeof(id), "%llu", (unsigned long long)view->id);
    TRY(op, path_of(op, id, "/signatures", path));
    return cli_post(op, cli, path, kw_bytes_span(json), ret);
}

/* must_ask: without a terminal, --yes has to be given. */
static kw_status confirm(struct kw_op *op, const struct cli *cli, const char *question,
                         bool must_ask)
{
    char line[16] = "";

    if (cli->options[OPT_YES]) {
        return KW_OK;
    }
    if (!isatty(STDIN_FILENO)) {
        ENSURE(op, !must_ask, KW_E_INPUT, "nobody can be asked here: give --yes");
        return KW_OK;
    }
    (void)fprintf(stderr, "%s [y/N] ", question);
    bool yes = fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
    ENSURE(op, yes, KW_E_DENIED, "not signed");
    return KW_OK;
}

static void print_text(const struct cli *cli, const struct approval_view *view)
{
    (void)fputs(view->text, cli->options[OPT_JSON] ? stderr : stdout);
}

/* Who asked signs as that, everybody else as approver. */
static enum approval_verdict verdict_for(const struct approval_view *view, const char *name)
{
    return view->n_signers == 0 && strcmp(view->requester, name) == 0 ? APPROVAL_REQUEST
                                                                      : APPROVAL_APPROVE;
}

static kw_status own_name(struct kw_op *op, struct cli *cli, char name[KW_NAME_MAX])
{
    if (cli->options[OPT_AS]) {
        (void)snprintf(name, KW_NAME_MAX, "%s", cli->options[OPT_AS]);
        return KW_OK;
    }
    TRY(op, cli_connect(op, cli));
    return dn_get(op, cert_subject(cli->own[0]), "CN", name, KW_NAME_MAX);
}

kw_status cli_approval_sign(struct kw_op *op, struct cli *cli)
{
    struct approval_view view;
    char name[KW_NAME_MAX];
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, fetch(op, cli, cli->args[0], &view));
    TRY(op, own_name(op, cli, name));
    print_text(cli, &view);
    enum approval_verdict verdict = verdict_for(&view, name);
    TRY(op, confirm(op, cli, verdict == APPROVAL_REQUEST ? "Ask for this?" : "Approve this?",
                    /* must_ask= */ true));
    TRY(op, send_signature(op, cli, &view, verdict, &answer));
    return print_answer(op, cli, answer);
}

kw_status cli_approval_reject(struct kw_op *op, struct cli *cli)
{
    struct approval_view view;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, fetch(op, cli, cli->args[0], &view));
    print_text(cli, &view);
    TRY(op, confirm(op, cli, "Reject this, for ever?", /* must_ask= */ true));
    TRY(op, send_signature(op, cli, &view, APPROVAL_REJECT, &answer));
    return print_answer(op, cli, answer);
}

kw_status cli_pending(struct kw_op *op, struct cli *cli, const struct kw_bytes *json)
{
    struct approval_view view;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, decode(op, json, &view));
    print_text(cli, &view);
    TRY(op, confirm(op, cli, "Ask for this?", /* must_ask= */ false));
    TRY(op, send_signature(op, cli, &view, APPROVAL_REQUEST, &answer), "request %llu",
        (unsigned long long)view.id);
    TRY(op, print_answer(op, cli, answer));
    TRY(op, decode(op, answer, &view));
    ENSURE(op, strcmp(view.state, "open") != 0, KW_E_APPROVAL, "request %llu waits for others",
           (unsigned long long)view.id);
    return KW_OK;
}

kw_status cli_approval_run(struct kw_op *op, struct cli *cli)
{
    char path[PATH_ROOM];
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, path_of(op, cli->args[0], "/run", path));
    TRY(op, cli_post(op, cli, path, kw_span_text("{}"), &answer));
    return print_answer(op, cli, answer);
}

/* --- looking ---------------------------------------------------------------------------------- */

kw_status cli_approval_list(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"id",   "state",  "operation", "key",     "requester",
                                          "have", "needed", "deadline",  "missing", NULL};

    return cli_list(op, cli, "/api/v1/approvals", &approval_page, sizeof(struct approval_page),
                    columns);
}

kw_status cli_approval_show(struct kw_op *op, struct cli *cli)
{
    struct approval_view view;
    char path[PATH_ROOM], when[KW_TIME_TEXT];
    AUTO(kw_bytes) *json = NULL;

    TRY(op, path_of(op, cli->args[0], "", path));
    TRY(op, cli_get(op, cli, path, &json));
    if (!cli->options[OPT_JSON]) {
        TRY(op, decode(op, json, &view));
        (void)fputs(view.text, stdout);
        for (unsigned i = 0; i < view.n_signers; i++) {
            (void)printf("%-14s %s at %s\n", view.signers[i].verdict, view.signers[i].name,
                         kw_time_text(view.signers[i].time_s, when));
        }
    }
    return print_answer(op, cli, json);
}
