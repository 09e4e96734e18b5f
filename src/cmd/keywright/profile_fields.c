/* profile fields: what a profile's and an authority's file may say, as docs/PROFILES.md prints it.
 */
#include <stdio.h>

#include "cmd/keywright/cli.h"
#include "model/authority.h"
#include "service/authority/plan.h"
#include "service/profiles.h"

static kw_status put_fields(struct kw_op *op, const char *title, const struct codec_field *fields,
                            size_t n, struct kw_bytes *into)
{
    TRY(op, kw_bytes_printf(into, "## %s\n| field | required | what it is |\n| --- | --- | --- |\n",
                            title));
    for (size_t i = 0; i < n; i++) {
        TRY(op, kw_bytes_printf(into, "| %s | %s | %s |\n", fields[i].name,
                                fields[i].flags & CODEC_REQUIRED ? "yes" : "", fields[i].doc));
    }
    return KW_OK;
}

static kw_status put_laws(const char *title, struct kw_bytes *into)
{
    return kw_bytes_printf(
        into, "\n## %s\n| field | refused where | source |\n| --- | --- | --- |\n", title);
}

static kw_status put_law(const char *field, const char *says, const char *source,
                         struct kw_bytes *into)
{
    return kw_bytes_printf(into, "| %s | %s | %s |\n", field, says, source);
}

kw_status cli_profile_fields(struct kw_op *op, struct cli *cli)
{
    AUTO(kw_bytes) *text = NULL;

    TRY(op, kw_bytes_new(16384, &text));
    TRY(op, put_fields(op, "Fields of a profile", profile_fields, profile_fields_count, text));
    TRY(op, put_laws("What a profile must keep to", text));
    for (size_t i = 0; i < profile_laws_count; i++) {
        const struct profile_law *law = &profile_laws[i];
        TRY(op, put_law(law->field, law->says, law->source, text));
    }
    TRY(op, kw_bytes_append_text(text, "\n"));
    TRY(op,
        put_fields(op, "Fields of an authority", authority_fields, authority_fields_count, text));
    TRY(op, put_laws("What an authority must keep to", text));
    for (size_t i = 0; i < authority_laws_count; i++) {
        const struct authority_law *law = &authority_laws[i];
        TRY(op, put_law(law->field, law->says, law->source, text));
    }
    return cli_write_out(op, cli, kw_bytes_span(text));
}
