/* Talking to the operators' listener with the operator's credential. */
#include <stdio.h>
#include <stdlib.h>

#include "base/pem.h"
#include "base/secret.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "os/clock.h"
#include "os/files.h"

enum { CREDENTIAL_MAX = 16384, URL_MAX = 256, ANSWER_MAX = 8 << 20, SOON_DAYS = 30 };
static const char ADMIN_DEFAULT[] = "/var/lib/keywright/admin";

const char *cli_admin_dir(const struct cli *cli)
{
    const char *dir = cli->options[OPT_ADMIN] ? cli->options[OPT_ADMIN] : getenv("KEYWRIGHT_ADMIN");

    return dir && *dir ? dir : ADMIN_DEFAULT;
}

static kw_status load_certs(struct kw_op *op, const char *dir, const char *name, struct cert *ret[],
                            unsigned max, unsigned *ret_n)
{
    char path[KW_PATH_BYTES];
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, os_path_join(op, path, sizeof(path), dir, name));
    TRY(op, os_file_read(op, path, CREDENTIAL_MAX, &pem),
        "operator's credential in %s (set --admin)", dir);
    return cert_parse_pem(op, kw_bytes_span(pem), ret, max, ret_n);
}

static kw_status load_key(struct kw_op *op, const char *dir, struct privkey **ret)
{
    char path[KW_PATH_BYTES];
    AUTO(kw_secret) *pem = NULL;
    AUTO(kw_bytes) *der = NULL;
    AUTO(kw_secret) *pkcs8 = NULL;

    TRY(op, os_path_join(op, path, sizeof(path), dir, "operator.key"));
    TRY(op, os_file_read_secret(op, path, CREDENTIAL_MAX, &pem), "operator's key");
    struct kw_span rest = kw_secret_span(pem);
    TRY(op, kw_pem_next(&rest, "PRIVATE KEY", CREDENTIAL_MAX, &der), "%s", path);
    kw_status status = kw_secret_copy(kw_bytes_span(der), &pkcs8);
    kw_wipe(der->p, der->len);
    TRY(op, status);
    return privkey_from_pkcs8(op, pkcs8, ret);
}

static kw_status load_url(struct kw_op *op, const char *dir, char url[URL_MAX])
{
    char path[KW_PATH_BYTES];
    AUTO(kw_bytes) *text = NULL;

    TRY(op, os_path_join(op, path, sizeof(path), dir, "server"));
    TRY(op, os_file_read(op, path, URL_MAX - 1, &text), "operator's credential in %s (set --admin)",
        dir);
    size_t n = text->len;
    while (n > 0 && (text->p[n - 1] == '\n' || text->p[n - 1] == ' ')) {
        n--;
    }
    (void)snprintf(url, URL_MAX, "%.*s", (int)n, (const char *)text->p);
    return KW_OK;
}

/* Only an operator can issue an operator's certificate, so nobody may be surprised by the last end.
 */
static void tell_of_end(const struct cert *own)
{
    int64_t left_s = cert_not_after(own) - os_clock_unix_s();

    if (left_s < 0) {
        (void)fprintf(stderr, "keywright: your certificate has ended; another operator can issue "
                              "you one, else: keywright restore operator\n");
    } else if (left_s < (int64_t)SOON_DAYS * 86400) {
        (void)fprintf(stderr,
                      "keywright: your certificate ends in %lld days; while it is good: keywright "
                      "cert issue --profile operator --name YOU --csr FILE\n",
                      (long long)(left_s / 86400));
    }
}

kw_status cli_connect(struct kw_op *op, struct cli *cli)
{
    const char *dir = cli_admin_dir(cli);
    char url[URL_MAX];
    unsigned n_own = 0;

    if (cli->client) {
        return KW_OK;
    }
    TRY(op, load_url(op, dir, url));
    TRY(op, load_certs(op, dir, "root.pem", cli->root, CLI_ROOTS_MAX, &cli->n_roots));
    TRY(op, load_certs(op, dir, "operator.pem", cli->own, 1, &n_own));
    tell_of_end(cli->own[0]);
    TRY(op, load_key(op, dir, &cli->key));
    struct http_client_config config = {
        .base_url = url,
        .roots = cli->root,
        .n_roots = cli->n_roots,
        .chain = cli->own,
        .n_chain = 1,
        .key = cli->key,
        .total_timeout_ms = 60000,
        .response_max = ANSWER_MAX,
    };
    return http_client_new(op, &config, &cli->client);
}

void cli_disconnect(struct cli *cli)
{
    http_client_free(cli->client);
    privkey_unref(cli->key);
    cert_unref(cli->own[0]);
    for (unsigned i = 0; i < cli->n_roots; i++) {
        cert_unref(cli->root[i]);
    }
}

static bool is_problem(const struct http_answer *answer, struct problem_view *ret)
{
    struct kw_op quiet;

    memset(ret, 0, sizeof(*ret));
    kw_op_init(&quiet, NULL, 0);
    return kw_ok(codec_json_decode(&quiet, kw_bytes_span(answer->body), problem_view.fields,
                                   problem_view.n, ret)) &&
           *ret->code;
}

/* The server's refusal in its own words. */
static kw_status refuse(struct kw_op *op, const struct http_answer *answer)
{
    struct problem_view problem;

    if (!is_problem(answer, &problem)) {
        return FAIL(op, KW_E_DEVICE, "the server answered with status %d", answer->status);
    }
    return FAIL(op, kw_code_from_text(problem.code), "%.150s (request %s)", problem.detail,
                problem.request_id);
}

static kw_status call(struct kw_op *op, struct cli *cli, const struct http_call *call,
                      struct kw_bytes **ret)
{
    struct http_answer answer = {0};

    TRY(op, cli_connect(op, cli));
    TRY(op, http_client_call(op, cli->client, call, &answer), "asking the server");
    struct problem_view problem;
    if (answer.status >= 300 || (answer.status == 202 && is_problem(&answer, &problem))) {
        kw_status status = refuse(op, &answer);
        http_answer_done(&answer);
        return status;
    }
    bool pending = answer.status == 202;
    *ret = TAKE(answer.body);
    http_answer_done(&answer);
    return pending ? cli_pending(op, cli, *ret) : KW_OK;
}

kw_status cli_get(struct kw_op *op, struct cli *cli, const char *path, struct kw_bytes **ret)
{
    struct http_call request = {.method = HTTP_GET, .path = path};

    return call(op, cli, &request, ret);
}

kw_status cli_post(struct kw_op *op, struct cli *cli, const char *path, struct kw_span json,
                   struct kw_bytes **ret)
{
    struct http_call request = {
        .method = HTTP_POST, .path = path, .content_type = "application/json", .body = json};

    return call(op, cli, &request, ret);
}

kw_status cli_post_text(struct kw_op *op, struct cli *cli, const char *path, const char *media,
                        struct kw_span body, struct kw_bytes **ret)
{
    struct http_call request = {
        .method = HTTP_POST, .path = path, .content_type = media, .body = body};

    return call(op, cli, &request, ret);
}
