/*
 * filter fetch: a CA's newest revocation filter into a file, over plain HTTP: it proves itself.
 * What is there already is only replaced by a newer one of the same key.
 */
#include <stdio.h>

#include "base/time.h"
#include "cmd/keywright/cli.h"
#include "crypto/filter.h"
#include "os/clock.h"
#include "os/files.h"

/* A filter and the octets that it borrows from. */
struct taken {
    struct kw_bytes *octets;
    struct filter filter;
};

static void taken_done(struct taken *taken)
{
    kw_bytes_free(taken->octets);
}

/* "http://host:port/path" → base and path, for the client. */
static kw_status split_url(struct kw_op *op, const char *url, char *base, size_t cap,
                           const char **ret_path)
{
    static const char scheme[] = "http://";
    const char *host = url + sizeof(scheme) - 1;

    ENSURE(op, strncmp(url, scheme, sizeof(scheme) - 1) == 0 && strchr(host, '/'), KW_E_INPUT,
           "'%.200s' is not http://HOST:PORT/filter/CA.filter", url);
    *ret_path = strchr(host, '/');
    int n = snprintf(base, cap, "%.*s", (int)(*ret_path - url), url);
    ENSURE(op, n > 0 && (size_t)n < cap, KW_E_TOO_LARGE, "'%.60s…'", url);
    return KW_OK;
}

static kw_status download(struct kw_op *op, const char *url, struct kw_bytes **ret)
{
    char base[KW_URI_MAX];
    const char *path = NULL;
    struct http_answer answer = {0};
    AUTO(http_client) *client = NULL;

    TRY(op, split_url(op, url, base, sizeof(base), &path));
    const struct http_client_config config = {.base_url = base, .response_max = KW_CRL_MAX};
    const struct http_call call = {.method = HTTP_GET, .path = path};
    TRY(op, http_client_new(op, &config, &client));
    TRY(op, http_client_call(op, client, &call, &answer), "%s", url);
    int status = answer.status;
    *ret = TAKE(answer.body);
    http_answer_done(&answer);
    ENSURE(op, status == 200, status == 404 ? KW_E_NOT_FOUND : KW_E_UNAVAILABLE, "%s: status %d",
           url, status);
    return KW_OK;
}

static kw_status read_taken(struct kw_op *op, const struct cert *issuer, struct taken *taken)
{
    TRY(op, filter_parse(op, kw_bytes_span(taken->octets), &taken->filter));
    return filter_verify(op, &taken->filter, cert_public(issuer));
}

static kw_status fetch(struct kw_op *op, const char *url, const struct cert *issuer,
                       struct taken *ret)
{
    TRY(op, download(op, url, &ret->octets));
    TRY(op, read_taken(op, issuer, ret), "%s", url);
    ENSURE(op, filter_is_current(&ret->filter, os_clock_unix_s()), KW_E_UNAVAILABLE,
           "%s: the filter is stale, or this machine's clock is wrong", url);
    return KW_OK;
}

/* What cannot be read is not overwritten: nobody could say that it was not newer. */
static kw_status compare(struct kw_op *op, const char *path, const struct cert *issuer,
                         const struct taken *fetched, bool *ret_newer)
{
    struct taken kept = {0};

    TRY(op, os_file_read(op, path, KW_CRL_MAX, &kept.octets));
    kw_status status = read_taken(op, issuer, &kept);
    bool same =
        kw_ok(status) && kw_span_equal(kw_bytes_span(kept.octets), kw_bytes_span(fetched->octets));
    taken_done(&kept);
    TRY(op, status, "%s: not this CA's filter; remove it to begin anew", path);
    unsigned long long was = kept.filter.said.number, is = fetched->filter.said.number;
    ENSURE(op, same || is > was, KW_E_DENIED,
           "number %llu is not above that of %s, %llu: an old filter, or a second one", is, path,
           was);
    *ret_newer = !same;
    return KW_OK;
}

static void print(const struct cli *cli, const struct filter_said *said, bool newer)
{
    const char *form =
        cli->options[OPT_JSON]
            ? "{\"changed\":%s,\"ca\":\"%s\",\"number\":%llu,\"this_update\":\"%s\","
              "\"next_update\":\"%s\",\"certificates\":%llu,\"revoked\":%llu}\n"
            : "%s (filter of CA %s, number %llu, from %s to %s, %llu certificates, %llu revoked)\n";
    const char *const words[] = {cli->options[OPT_JSON] ? "false" : "unchanged",
                                 cli->options[OPT_JSON] ? "true" : "fetched"};
    char from[KW_TIME_TEXT], to[KW_TIME_TEXT];

    (void)printf(form, words[newer], said->ca, (unsigned long long)said->number,
                 kw_time_text(said->this_update, from), kw_time_text(said->next_update, to),
                 (unsigned long long)said->certs, (unsigned long long)said->revoked);
}

static kw_status take(struct kw_op *op, struct cli *cli, const struct cert *issuer,
                      struct taken *fetched)
{
    const char *path = cli->options[OPT_OUT];
    bool newer = true;

    TRY(op, fetch(op, cli->args[0], issuer, fetched));
    if (os_file_exists(path)) {
        TRY(op, compare(op, path, issuer, fetched, &newer));
    }
    if (newer) {
        TRY(op, os_file_write(op, path, 0644, kw_bytes_span(fetched->octets)));
    }
    print(cli, &fetched->filter.said, newer);
    return KW_OK;
}

kw_status cli_filter_fetch(struct kw_op *op, struct cli *cli)
{
    struct taken fetched = {0};
    AUTO(cert) *issuer = NULL;

    ENSURE(op, cli->options[OPT_OUT] && cli->options[OPT_ISSUER], KW_E_INPUT,
           "--issuer FILE and --out FILE are needed: the CA's certificate, and where to keep it");
    TRY(op, cli_read_cert(op, cli->options[OPT_ISSUER], &issuer));
    kw_status status = take(op, cli, issuer, &fetched);
    taken_done(&fetched);
    return status;
}
