/* doctor: is everything as it should be? Exit status 5 where it is not. */
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"

static void print_finding(const struct finding_view *found)
{
    char time[KW_TIME_TEXT];

    (void)printf("%-8s %-13s %s\n", found->level, found->check, found->text);
    if (*found->digest) {
        (void)printf("         %s, key %s, request %s\n         SHA-256 of what was signed: %s\n",
                     kw_time_text_ms(found->time_ms, time), found->object,
                     *found->request_id ? found->request_id : "-", found->digest);
    }
}

static unsigned print_all(const struct cli *cli, const struct finding_list *list)
{
    unsigned n_faults = 0;

    for (unsigned i = 0; i < list->n; i++) {
        n_faults += strcmp(list->at[i].level, "fault") == 0;
        if (!cli->options[OPT_JSON]) {
            print_finding(&list->at[i]);
        }
    }
    return n_faults;
}

static kw_status judge(struct kw_op *op, const struct cli *cli, struct kw_span json,
                       struct finding_list *list)
{
    TRY(op, codec_json_decode(op, json, finding_list.fields, finding_list.n, list),
        "the server's answer");
    if (cli->options[OPT_JSON]) {
        (void)printf("%.*s\n", (int)json.len, (const char *)json.p);
    }
    unsigned n_faults = print_all(cli, list);
    ENSURE(op, n_faults == 0, KW_E_INTEGRITY, "%u faults were found", n_faults);
    return KW_OK;
}

struct acknowledgement {
    char digest[2 * KW_HASH_BYTES + 1], reason[256];
};
static const struct codec_field acknowledgement_fields[] = {
    FIELD_STRING("digest", struct acknowledgement, digest, 0, ""),
    FIELD_STRING("reason", struct acknowledgement, reason, 0, ""),
};

kw_status cli_doctor_acknowledge(struct kw_op *op, struct cli *cli)
{
    const char *reason = cli->options[OPT_REASON];
    struct acknowledgement body = {0};
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    ENSURE(op, reason && *reason && KW_TEXT_SET(body.reason, reason), KW_E_INPUT,
           "--reason TEXT is needed: what it was, and how that was found out");
    ENSURE(op, KW_TEXT_SET(body.digest, cli->args[0]), KW_E_INPUT,
           "DIGEST is what 'keywright doctor' shows");
    TRY(op, kw_bytes_new(512, &json));
    TRY(op, codec_json_encode(op, acknowledgement_fields, KW_COUNT(acknowledgement_fields), &body,
                              json));
    TRY(op, cli_post(op, cli, "/api/v1/doctor/acknowledge", kw_bytes_span(json), &answer));
    (void)puts("acknowledged   the log says so");
    return KW_OK;
}

kw_status cli_doctor(struct kw_op *op, struct cli *cli)
{
    AUTO(kw_bytes) *json = NULL;

    TRY(op, cli_get(op, cli, "/api/v1/doctor", &json));
    struct finding_list *list = calloc(1, sizeof(*list));
    ENSURE(op, list, KW_E_MEMORY, "no memory for the findings");
    kw_status status = judge(op, cli, kw_bytes_span(json), list);
    free(list);
    return status;
}
