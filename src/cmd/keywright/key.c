/* key verbs: the life of the keeper's keys. */
#include <stdio.h>
#include <stdlib.h>

#include "base/uri.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"

kw_status cli_key_list(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"id", "class", "state", "alg", "custody", "owner", NULL};

    return cli_list(op, cli, "/api/v1/keys", &key_page, sizeof(struct key_page), columns);
}

static kw_status show(struct kw_op *op, struct cli *cli, const char *path)
{
    AUTO(kw_bytes) *json = NULL;

    TRY(op, cli_get(op, cli, path, &json));
    return cli_show(op, cli, &key_view, kw_bytes_span(json));
}

kw_status cli_key_show(struct kw_op *op, struct cli *cli)
{
    char path[KW_URI_MAX];

    TRY(op, cli_object_path(op, "keys", cli->args[0], NULL, path, sizeof(path)));
    return show(op, cli, path);
}

/* --- verbs ------------------------------------------------------------------------------------ */

struct wish {
    char reason[128];
    uint32_t approval;
};
static const struct codec_field wish_fields[] = {
    FIELD_STRING("reason", struct wish, reason, CODEC_OMIT_EMPTY, ""),
    FIELD_INT("approval", struct wish, approval, CODEC_OMIT_EMPTY, 0, UINT32_MAX, ""),
};

static kw_status post(struct kw_op *op, struct cli *cli, const char *path,
                      const struct codec_field *fields, unsigned n, const void *body)
{
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, kw_bytes_new(512, &json));
    TRY(op, codec_json_encode(op, fields, n, body, json));
    TRY(op, cli_post(op, cli, path, kw_bytes_span(json), &answer));
    return cli_show(op, cli, &key_view, kw_bytes_span(answer));
}

static kw_status do_verb(struct kw_op *op, struct cli *cli, const char *verb)
{
    const char *reason = cli->options[OPT_REASON];
    struct wish wish = {0};
    char path[KW_URI_MAX];

    ENSURE(op, !reason || KW_TEXT_SET(wish.reason, reason), KW_E_INPUT, "--reason is too long");
    TRY(op, cli_number(op, cli, OPT_APPROVAL, 0, UINT32_MAX, &wish.approval));
    TRY(op, cli_object_path(op, "keys", cli->args[0], verb, path, sizeof(path)));
    return post(op, cli, path, wish_fields, KW_COUNT(wish_fields), &wish);
}

#define VERB(name)                                                                                 \
    kw_status cli_key_##name(struct kw_op *op, struct cli *cli)                                    \
    {                                                                                              \
        return do_verb(op, cli, #name);                                                            \
    }
VERB(activate)
VERB(suspend)
VERB(deactivate)
VERB(rotate)
VERB(revoke)
VERB(archive)

/* The statement comes with it: who destroys a key wants to file the proof. */
kw_status cli_key_destroy(struct kw_op *op, struct cli *cli)
{
    char path[KW_URI_MAX];
    AUTO(kw_bytes) *statement = NULL;

    TRY(op, do_verb(op, cli, "destroy"));
    TRY(op, cli_object_path(op, "keys", cli->args[0], "destruction", path, sizeof(path)));
    TRY(op, cli_get(op, cli, path, &statement));
    return cli_write_out(op, cli, kw_bytes_span(statement));
}

/* --- birth ------------------------------------------------------------------------------------ */

struct birth {
    char id[KW_NAME_MAX], class_[24], alg[16], tuf_role[16];
    char product[64], versions[64], labels[256];
    bool escrow;
    uint32_t days, approval;
};
static const struct codec_field birth_fields[] = {
    FIELD_STRING("id", struct birth, id, 0, ""),
    FIELD_STRING("class", struct birth, class_, 0, ""),
    FIELD_STRING("alg", struct birth, alg, CODEC_OMIT_EMPTY, ""),
    FIELD_STRING("tuf_role", struct birth, tuf_role, CODEC_OMIT_EMPTY, ""),
    FIELD_STRING("product", struct birth, product, CODEC_OMIT_EMPTY, ""),
    FIELD_STRING("versions", struct birth, versions, CODEC_OMIT_EMPTY, ""),
    FIELD_STRING("labels", struct birth, labels, CODEC_OMIT_EMPTY, ""),
    FIELD_BOOL("escrow", struct birth, escrow, CODEC_OMIT_EMPTY, ""),
    FIELD_INT("days", struct birth, days, CODEC_OMIT_EMPTY, 0, UINT32_MAX, ""),
    FIELD_INT("approval", struct birth, approval, CODEC_OMIT_EMPTY, 0, UINT32_MAX, ""),
};

static kw_status take(struct kw_op *op, const char *given, const char *what, char *text, size_t cap)
{
    ENSURE(op, !given || kw_text_copy(text, cap, given), KW_E_INPUT, "%s '%.40s'", what, given);
    return KW_OK;
}

kw_status cli_key_create(struct kw_op *op, struct cli *cli)
{
    struct birth birth = {.escrow = cli->options[OPT_ESCROW] != NULL};

    ENSURE(op, cli->options[OPT_CLASS], KW_E_INPUT, "--class is missing");
    TRY(op, take(op, cli->args[0], "no key id", birth.id, sizeof(birth.id)));
    TRY(op, take(op, cli->options[OPT_CLASS], "no class", birth.class_, sizeof(birth.class_)));
    TRY(op, take(op, cli->options[OPT_ALG], "no algorithm", birth.alg, sizeof(birth.alg)));
    TRY(op,
        take(op, cli->options[OPT_TUF_ROLE], "no role", birth.tuf_role, sizeof(birth.tuf_role)));
    TRY(op,
        take(op, cli->options[OPT_PRODUCT], "no product", birth.product, sizeof(birth.product)));
    TRY(op, take(op, cli->options[OPT_VERSIONS], "no versions", birth.versions,
                 sizeof(birth.versions)));
    TRY(op, take(op, cli->options[OPT_LABELS], "no labels", birth.labels, sizeof(birth.labels)));
    TRY(op, cli_number(op, cli, OPT_DAYS, 0, 36500, &birth.days));
    TRY(op, cli_number(op, cli, OPT_APPROVAL, 0, UINT32_MAX, &birth.approval));
    return post(op, cli, "/api/v1/keys", birth_fields, KW_COUNT(birth_fields), &birth);
}
