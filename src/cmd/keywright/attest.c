/* Attestation: whose endorsement keys are believed, and what a device is bound to. */
#include <stdio.h>
#include <stdlib.h>

#include "base/b64.h"
#include "base/pem.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "model/attest_reference.h"
#include "os/files.h"

enum { ROOT_FILE_MAX = 16384, LOG_FILE_MAX = 65536 };

kw_status cli_attest_roots(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"id", "kind", "simulated", "name", "added", NULL};

    return cli_list(op, cli, "/api/v1/attest/roots", &ek_root_page, sizeof(struct ek_root_page),
                    columns);
}

/* PEM of a certificate or public key, or DER as it is. */
static kw_status read_der(struct kw_op *op, const char *path, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *file = NULL;

    TRY(op, os_file_read(op, path, ROOT_FILE_MAX, &file));
    struct kw_span text = kw_bytes_span(file);
    if (kw_ok(kw_pem_next(&text, "CERTIFICATE", ROOT_FILE_MAX, ret))) {
        return KW_OK;
    }
    text = kw_bytes_span(file);
    if (kw_ok(kw_pem_next(&text, "PUBLIC KEY", ROOT_FILE_MAX, ret))) {
        return KW_OK;
    }
    *ret = TAKE(file);
    return KW_OK;
}

kw_status cli_attest_trust(struct kw_op *op, struct cli *cli)
{
    AUTO(kw_bytes) *der = NULL;
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, read_der(op, cli->args[0], &der), "reading %s", cli->args[0]);
    TRY(op, kw_bytes_new(ROOT_FILE_MAX, &json));
    TRY(op, kw_bytes_append_text(json, "{\"der\":\""));
    TRY(op, kw_b64_encode(kw_bytes_span(der), /* line_len= */ 0, json));
    TRY(op, kw_bytes_printf(json, "\",\"simulated\":%s}",
                            cli->options[OPT_SIMULATED] ? "true" : "false"));
    TRY(op, cli_post(op, cli, "/api/v1/attest/roots", kw_bytes_span(json), &answer));
    (void)printf("endorsement keys are believed by %s%s\n", cli->args[0],
                 cli->options[OPT_SIMULATED] ? ", as SIMULATED" : "");
    return KW_OK;
}

kw_status cli_attest_reset(struct kw_op *op, struct cli *cli)
{
    char path[KW_URI_MAX];
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_object_path(op, "devices", cli->args[0], "attest-reset", path, sizeof(path)));
    TRY(op, cli_post(op, cli, path, kw_span_text("{}"), &answer));
    (void)printf("device %s binds its attestation key anew\n", cli->args[0]);
    return KW_OK;
}

/* --- reference sets --------------------------------------------------------------------------- */

kw_status cli_attest_references(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"name",   "product", "state", "pcrs",
                                          "events", "added",   NULL};

    return cli_list(op, cli, "/api/v1/attest/references", &reference_page,
                    sizeof(struct reference_page), columns);
}

/* "0,2,4,7" */
static kw_status read_pcrs(struct kw_op *op, const char *text, uint8_t ret[ATTEST_PCR_MASK])
{
    const char *p = text;

    for (;;) {
        unsigned pcr = 0, digits = 0;
        for (; *p >= '0' && *p <= '9' && digits < 3; p++, digits++) {
            pcr = pcr * 10 + (unsigned)(*p - '0');
        }
        ENSURE(op, digits > 0 && pcr < 8 * ATTEST_PCR_MASK && (*p == ',' || *p == 0), KW_E_INPUT,
               "--pcrs takes numbers from 0 to 7 with commas between, not '%s'", text);
        ret[pcr / 8] |= (uint8_t)(1u << pcr % 8);
        if (*p++ == 0) {
            return KW_OK;
        }
    }
}

struct reference_wish {
    char name[KW_NAME_MAX], product[KW_NAME_MAX];
    uint8_t pcr_mask[ATTEST_PCR_MASK], log[LOG_FILE_MAX];
    uint32_t log_len;
};
static const struct codec_field reference_wish_fields[] = {
    FIELD_STRING("name", struct reference_wish, name, 0, ""),
    FIELD_STRING("product", struct reference_wish, product, CODEC_OMIT_EMPTY, ""),
    FIELD_HEX_FIXED("pcr_mask", struct reference_wish, pcr_mask, 0, ""),
    FIELD_B64("log", struct reference_wish, log, log_len, 0, ""),
};

static kw_status fill(struct kw_op *op, const struct cli *cli, struct reference_wish *wish)
{
    const char *pcrs = cli->options[OPT_PCRS], *product = cli->options[OPT_PRODUCT];
    struct kw_out log = KW_OUT_ARRAY(wish->log);
    AUTO(kw_bytes) *file = NULL;

    ENSURE(op, cli->options[OPT_NAME], KW_E_INPUT, "--name is missing");
    ENSURE(op,
           KW_TEXT_SET(wish->name, cli->options[OPT_NAME]) &&
               KW_TEXT_SET(wish->product, product ? product : ""),
           KW_E_INPUT, "--name or --product is too long");
    TRY(op, read_pcrs(op, pcrs ? pcrs : "0,2,4,7", wish->pcr_mask));
    TRY(op, os_file_read(op, cli->args[0], LOG_FILE_MAX, &file), "reading %s", cli->args[0]);
    TRY(op, kw_out_set(&log, kw_bytes_span(file)));
    wish->log_len = (uint32_t)log.len;
    return KW_OK;
}

static kw_status accept_log(struct kw_op *op, struct cli *cli, struct reference_wish *wish)
{
    struct reference_view set = {0};
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, fill(op, cli, wish));
    TRY(op, kw_bytes_new(2 * LOG_FILE_MAX, &json));
    TRY(op,
        codec_json_encode(op, reference_wish_fields, KW_COUNT(reference_wish_fields), wish, json));
    TRY(op, cli_post(op, cli, "/api/v1/attest/references", kw_bytes_span(json), &answer));
    TRY(op, codec_json_decode(op, kw_bytes_span(answer), reference_view.fields, reference_view.n,
                              &set));
    (void)printf("reference set %s is open: %u events of PCRs %s%s%s\n", set.name, set.events,
                 set.pcrs, *set.product ? ", for product " : "", set.product);
    return KW_OK;
}

kw_status cli_attest_accept(struct kw_op *op, struct cli *cli)
{
    struct reference_wish *wish = calloc(1, sizeof(*wish));

    ENSURE(op, wish, KW_E_MEMORY, "no memory for the event log");
    kw_status status = accept_log(op, cli, wish);
    free(wish);
    return status;
}

static kw_status touch(struct kw_op *op, struct cli *cli, const char *verb, const char *is)
{
    char path[KW_URI_MAX];
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_object_path(op, "attest/references", cli->args[0], verb, path, sizeof(path)));
    TRY(op, cli_post(op, cli, path, kw_span_text("{}"), &answer));
    (void)printf("reference set %s is %s\n", cli->args[0], is);
    return KW_OK;
}

kw_status cli_attest_open(struct kw_op *op, struct cli *cli)
{
    return touch(op, cli, "open", "open");
}

kw_status cli_attest_close(struct kw_op *op, struct cli *cli)
{
    return touch(op, cli, "close", "closed");
}

kw_status cli_attest_forget(struct kw_op *op, struct cli *cli)
{
    return touch(op, cli, "forget", "forgotten");
}

/* --- secure elements -------------------------------------------------------------------------- */

kw_status cli_attest_elements(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"product", "added", NULL};

    return cli_list(op, cli, "/api/v1/attest/elements", &element_page, sizeof(struct element_page),
                    columns);
}

struct element_wish {
    char product[KW_NAME_MAX];
    bool has;
};
static const struct codec_field element_wish_fields[] = {
    FIELD_STRING("product", struct element_wish, product, 0, ""),
    FIELD_BOOL("has", struct element_wish, has, 0, ""),
};

static kw_status say(struct kw_op *op, struct cli *cli, bool has)
{
    struct element_wish wish = {.has = has};
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    ENSURE(op, KW_TEXT_SET(wish.product, cli->args[0]), KW_E_INPUT, "the name is too long");
    TRY(op, kw_bytes_new(256, &json));
    TRY(op, codec_json_encode(op, element_wish_fields, KW_COUNT(element_wish_fields), &wish, json));
    TRY(op, cli_post(op, cli, "/api/v1/attest/elements", kw_bytes_span(json), &answer));
    (void)printf("units of product %s have %s secure element\n", wish.product, has ? "a" : "no");
    return KW_OK;
}

kw_status cli_attest_vouch(struct kw_op *op, struct cli *cli)
{
    return say(op, cli, /* has= */ true);
}

kw_status cli_attest_unvouch(struct kw_op *op, struct cli *cli)
{
    return say(op, cli, /* has= */ false);
}
