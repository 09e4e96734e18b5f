/* Registering many devices. */
#include "service/registration/import.h"

#include <stdlib.h>

#include "api/rest/rest.h"
#include "base/secret.h"

_Static_assert((int)VIEW_IMPORT >= (int)IMPORT_LINES_MAX, "the view holds a piece");

struct import_query {
    char product[KW_NAME_MAX], batch[KW_NAME_MAX];
    struct import_options options;
};

static kw_status read_query(struct kw_op *op, const struct http_request *request,
                            struct import_query *ret)
{
    struct import_options *options = &ret->options;
    uint64_t dry_run = 0, renew = 0, hours = 0;
    const char *media = request->content_type;

    options->json =
        strcmp(media, "application/json") == 0 || strcmp(media, "application/x-ndjson") == 0;
    ENSURE(op, options->json || strcmp(media, "text/csv") == 0, KW_E_MEDIA,
           "text/csv, application/json or application/x-ndjson are taken here");
    TRY(op, rest_query_text(op, request, "product", ret->product, sizeof(ret->product),
                            &options->product));
    TRY(op, rest_query_text(op, request, "batch", ret->batch, sizeof(ret->batch), &options->batch));
    TRY(op, rest_query_u64(op, request, "dry_run", 0, 1, &dry_run));
    TRY(op, rest_query_u64(op, request, "renew", 0, 1, &renew));
    TRY(op, rest_query_u64(op, request, "secret_hours", 0, 87600, &hours));
    options->dry_run = dry_run;
    options->renew = renew;
    options->secret_hours = (uint32_t)hours;
    return KW_OK;
}

static void view(const struct import_report *report, bool dry_run, struct import_view *ret)
{
    ret->dry_run = dry_run;
    for (unsigned i = 0; i < report->n; i++) {
        const struct import_line *line = &report->at[i];
        struct import_line_view *shown = &ret->at[ret->n++];
        shown->line = line->line;
        KW_TEXT_SET(shown->class_, import_class_text(line->class));
        KW_TEXT_SET(shown->id, line->id);
        KW_TEXT_SET(shown->detail, line->detail);
        KW_TEXT_SET(shown->secret, line->secret);
        ret->registered += line->class == IMPORT_REGISTERED;
        ret->known += line->class == IMPORT_KNOWN || line->class == IMPORT_RENEWED;
        ret->bad += !import_class_good(line->class);
    }
}

REST_HANDLER(rest_device_import)
{
    struct import_query query = {0};
    AUTO(import_report) *report = NULL;

    TRY(op, read_query(op, request, &query));
    TRY(op, import_devices(op, rest_service(ctx), &query.options, request->body, &report));
    struct import_view *shown = calloc(1, sizeof(*shown));
    ENSURE(op, shown, KW_E_MEMORY, "no memory for the answer");
    view(report, query.options.dry_run, shown);
    kw_status status = rest_answer(op, &import_view, shown, response);
    kw_wipe(shown, sizeof(*shown));
    free(shown);
    return status;
}
