/* Plans of revocation: make, run, look. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "api/rest/views_revocation.h"
#include "base/time.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "os/clock.h"

/* --- as printed ------------------------------------------------------------------------------- */

static void print_counts(const struct plan_view *plan)
{
    (void)printf("\nWhat it means\n");
    for (unsigned i = 0; i < plan->n_counts; i++) {
        (void)printf("  %-10s %-40s %10" PRIu64 "\n", plan->counts[i].kind, plan->counts[i].name,
                     plan->counts[i].n);
    }
    for (unsigned i = 0; i < plan->n_samples; i++) {
        const struct plan_sample_view *one = &plan->samples[i];
        (void)printf("%s  %s/%s  %s  %s  %s\n", i == 0 ? "\nSome of them\n" : "", one->ca,
                     one->serial, one->owner, one->profile, one->state);
    }
}

static void print_parties(const struct plan_view *plan)
{
    char when[KW_TIME_TEXT];

    (void)printf("\nRelying party                            enforced at\n");
    for (unsigned i = 0; i < plan->n_parties; i++) {
        const struct plan_party_view *one = &plan->parties[i];
        (void)printf("  %-38s %s\n", one->party,
                     one->enforced_ms ? kw_time_text_ms(one->enforced_ms, when) : "not yet");
    }
}

static void print_next_step(const struct plan_view *plan)
{
    if (plan->id == 0) {
        (void)printf("\nThis was a dry run: nothing is kept, nothing was revoked.\n");
    } else if (strcmp(plan->state, "ready") == 0) {
        (void)printf("\nNothing is revoked yet: keywright revoke run %" PRIu64 "%s\n", plan->id,
                     plan->needs_approval ? "  (others have to approve it)" : "");
    } else if (plan->issued_since > 0) {
        (void)printf("\nNot in it, and good: %" PRIu64
                     " that the same owners got after it was made. "
                     "Make another plan if they are meant too.\n",
                     plan->issued_since);
    }
}

static kw_status show(struct kw_op *op, struct cli *cli, struct kw_span json)
{
    struct plan_view *plan = calloc(1, sizeof(*plan));

    ENSURE(op, plan, KW_E_MEMORY, "no memory for a plan");
    kw_status status = codec_json_decode(op, json, plan_view.fields, plan_view.n, plan);
    if (kw_ok(status)) {
        status = cli_show(op, cli, &plan_view, json);
    }
    if (kw_ok(status) && !cli->options[OPT_JSON]) {
        print_counts(plan);
        print_parties(plan);
        print_next_step(plan);
    }
    free(plan);
    return status;
}

/* --- verbs ------------------------------------------------------------------------------------ */

static kw_status copy_texts(struct kw_op *op, const struct cli *cli, struct plan_body *body)
{
    const struct {
        enum cli_option option;
        char *text;
        size_t cap;
    } texts[] = {
        {OPT_SERIAL,         body->serial,         sizeof(body->serial)        },
        {OPT_DEVICE,         body->device,         sizeof(body->device)        },
        {OPT_OWNER,          body->owner,          sizeof(body->owner)         },
        {OPT_KEY_HASH,       body->key,            sizeof(body->key)           },
        {OPT_CA,             body->ca,             sizeof(body->ca)            },
        {OPT_PROFILE,        body->profile,        sizeof(body->profile)       },
        {OPT_PRODUCT,        body->product,        sizeof(body->product)       },
        {OPT_BATCH,          body->batch,          sizeof(body->batch)         },
        {OPT_FIRMWARE,       body->firmware,       sizeof(body->firmware)      },
        {OPT_FIRMWARE_FROM,  body->firmware_from,  sizeof(body->firmware_from) },
        {OPT_FIRMWARE_BELOW, body->firmware_below, sizeof(body->firmware_below)},
        {OPT_SUBJECT_IS,     body->subject,        sizeof(body->subject)       },
        {OPT_REASON,         body->reason,         sizeof(body->reason)        },
    };

    for (unsigned i = 0; i < KW_COUNT(texts); i++) {
        const char *given = cli->options[texts[i].option];
        ENSURE(op, !given || kw_text_copy(texts[i].text, texts[i].cap, given), KW_E_INPUT,
               "'%.40s…' is too long", given);
    }
    return KW_OK;
}

kw_status cli_revoke_plan(struct kw_op *op, struct cli *cli)
{
    struct plan_body body = {.hold = cli->options[OPT_HOLD] != NULL,
                             .replace_first = cli->options[OPT_REPLACE_FIRST] != NULL,
                             .dry_run = cli->options[OPT_DRY_RUN] != NULL};
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, copy_texts(op, cli, &body));
    TRY(op, cli_number(op, cli, OPT_HOURS, 0, 87600, &body.deadline_hours));
    TRY(op, kw_bytes_new(1024, &json));
    TRY(op, codec_json_encode(op, plan_body.fields, plan_body.n, &body, json));
    TRY(op, cli_post(op, cli, "/api/v1/revocations", kw_bytes_span(json), &answer));
    return show(op, cli, kw_bytes_span(answer));
}

kw_status cli_revoke_list(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"id",   "state",   "reason",    "certificates",
                                          "done", "created", "selection", NULL};

    return cli_list(op, cli, "/api/v1/revocations", &plan_line_page, sizeof(struct plan_line_page),
                    columns);
}

kw_status cli_revoke_show(struct kw_op *op, struct cli *cli)
{
    char path[KW_URI_MAX];
    AUTO(kw_bytes) *json = NULL;

    TRY(op, cli_object_path(op, "revocations", cli->args[0], NULL, path, sizeof(path)));
    TRY(op, cli_get(op, cli, path, &json));
    return show(op, cli, kw_bytes_span(json));
}

struct step_wish {
    char reason[128];
};
static const struct codec_field step_fields[] = {
    FIELD_STRING("reason", struct step_wish, reason, 0, ""),
};

static kw_status take_step(struct kw_op *op, struct cli *cli, const char *verb)
{
    const char *reason = cli->options[OPT_REASON];
    struct step_wish wish = {0};
    char path[KW_URI_MAX];
    AUTO(kw_bytes) *body = NULL;
    AUTO(kw_bytes) *json = NULL;

    ENSURE(op, reason && *reason, KW_E_INPUT, "--reason is missing: why '%s'?", verb);
    ENSURE(op, KW_TEXT_SET(wish.reason, reason), KW_E_INPUT, "--reason is too long");
    TRY(op, cli_object_path(op, "revocations", cli->args[0], verb, path, sizeof(path)));
    TRY(op, kw_bytes_new(160, &body));
    TRY(op, codec_json_encode(op, step_fields, KW_COUNT(step_fields), &wish, body));
    TRY(op, cli_post(op, cli, path, kw_bytes_span(body), &json));
    return show(op, cli, kw_bytes_span(json));
}

kw_status cli_revoke_cancel(struct kw_op *op, struct cli *cli)
{
    return take_step(op, cli, "cancel");
}

kw_status cli_revoke_pause(struct kw_op *op, struct cli *cli)
{
    return take_step(op, cli, "pause");
}

kw_status cli_revoke_resume(struct kw_op *op, struct cli *cli)
{
    return take_step(op, cli, "resume");
}

/* --- the way back ----------------------------------------------------------------------------- */

static kw_status readmit_piece(struct kw_op *op, struct cli *cli, const struct readmit_body *wish,
                               struct readmit_view *ret)
{
    char path[KW_URI_MAX];
    AUTO(kw_bytes) *body = NULL;
    AUTO(kw_bytes) *json = NULL;

    TRY(op, cli_object_path(op, "revocations", cli->args[0], "readmit", path, sizeof(path)));
    TRY(op, kw_bytes_new(256, &body));
    TRY(op, codec_json_encode(op, readmit_body.fields, readmit_body.n, wish, body));
    TRY(op, cli_post(op, cli, path, kw_bytes_span(body), &json));
    if (cli->options[OPT_JSON]) {
        (void)printf("%.*s\n", (int)json->len, (const char *)json->p);
    }
    return codec_json_decode(op, kw_bytes_span(json), readmit_view.fields, readmit_view.n, ret);
}

static void print_left(const struct readmit_view *piece)
{
    for (unsigned i = 0; i < piece->n_devices; i++) {
        (void)printf("%s  %s\n", piece->devices[i].device, piece->devices[i].why);
    }
}

static void add_up(struct readmit_view *all, const struct readmit_view *piece)
{
    all->readmitted += piece->readmitted;
    all->as_it_is += piece->as_it_is;
    all->left += piece->left;
    all->after = piece->after;
}

static void print_sum(const struct readmit_view *all, bool dry_run)
{
    (void)printf("%" PRIu64 " devices %s readmitted; %" PRIu64 " may enrol as it is, %" PRIu64
                 " still may not%s\n",
                 all->readmitted, dry_run ? "would be" : "are", all->as_it_is, all->left,
                 all->after ? "; it ended early, the same command goes on" : "");
}

static kw_status readmit_all(struct kw_op *op, struct cli *cli, struct readmit_body *wish,
                             struct readmit_view *all)
{
    do {
        struct readmit_view piece = {0};
        wish->after = all->after;
        TRY(op, readmit_piece(op, cli, wish, &piece));
        add_up(all, &piece);
        if (!cli->options[OPT_JSON]) {
            print_left(&piece);
        }
    } while (all->after > 0);
    return KW_OK;
}

kw_status cli_revoke_readmit(struct kw_op *op, struct cli *cli)
{
    struct readmit_body wish = {.dry_run = cli->options[OPT_DRY_RUN] != NULL};
    const char *reason = cli->options[OPT_REASON];
    struct readmit_view all = {0};

    ENSURE(op, reason && *reason, KW_E_INPUT, "--reason is missing: why 'readmit'?");
    ENSURE(op, KW_TEXT_SET(wish.reason, reason), KW_E_INPUT, "--reason is too long");
    kw_status status = readmit_all(op, cli, &wish, &all);
    if (!cli->options[OPT_JSON] && (kw_ok(status) || all.after > 0)) {
        print_sum(&all, wish.dry_run);
    }
    return status;
}

kw_status cli_revoke_run(struct kw_op *op, struct cli *cli)
{
    char path[KW_URI_MAX], body[64];
    unsigned approval = 0;
    AUTO(kw_bytes) *json = NULL;

    TRY(op, cli_number(op, cli, OPT_APPROVAL, 0, UINT32_MAX, &approval));
    (void)snprintf(body, sizeof(body), "{\"approval\":%u}", approval);
    TRY(op, cli_object_path(op, "revocations", cli->args[0], "run", path, sizeof(path)));
    TRY(op, cli_post(op, cli, path, kw_span_text(body), &json));
    return show(op, cli, kw_bytes_span(json));
}
