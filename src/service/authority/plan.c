#include "service/authority/plan.h"

#include "codec/yaml.h"
#include "os/files.h"

enum { AUTHORITY_FILE_MAX = 8192 };

const struct codec_field authority_fields[] = {
    FIELD_STRING("name", struct authority, name, CODEC_REQUIRED,
                 "what it is called; profiles name an issuing one as their ca"),
    FIELD_STRING("doc", struct authority, doc, 0, "what it is for"),
    FIELD_STRING("kind", struct authority, kind, CODEC_REQUIRED,
                 "root and offline: made by the ceremony and taken away; issuing: in the keeper"),
    FIELD_STRING("issuer", struct authority, issuer, 0, "who signs its certificate; none: a root"),
    FIELD_STRINGS("subject_dn", struct authority, subject_dn, n_subject_dn, CODEC_REQUIRED,
                  "its name, a TYPE=VALUE an attribute"),
    FIELD_STRING("key_alg", struct authority, key_alg, CODEC_REQUIRED, "algorithm of its key"),
    FIELD_BOOL("no_end", struct authority, no_end, 0,
               "notAfter 99991231235959Z: its leaves have no end either"),
    FIELD_INT("validity_hours", struct authority, validity_hours, 0, 0, 876000, "validity"),
    FIELD_INT("path_len", struct authority, path_len, 0, 0, 8,
              "offline: how many CAs may stand below it in a path"),
    FIELD_STRING("names", struct authority, names, CODEC_REQUIRED,
                 "DNS names and addresses that its certificates may have: hosts: this "
                 "server's and those of --domain; any: it has no name constraints at all"),
    FIELD_STRINGS("hosts", struct authority, hosts, n_hosts, 0,
                  "names: hosts: further DNS names and addresses that are permitted"),
    FIELD_STRINGS("purposes", struct authority, purposes, n_purposes, 0,
                  "what its certificates may be for, dotted OIDs of extended key usages; none: "
                  "whatever their profiles say"),
};
const size_t authority_fields_count = KW_COUNT(authority_fields);

kw_status plan_read(struct kw_op *op, const char *path, struct authority *ret)
{
    AUTO(kw_bytes) *text = NULL;

    memset(ret, 0, sizeof(*ret));
    TRY(op, os_file_read(op, path, AUTHORITY_FILE_MAX, &text));
    TRY(op,
        codec_yaml_decode(op, kw_bytes_span(text), authority_fields, KW_COUNT(authority_fields),
                          ret),
        "%s", path);
    const struct authority_law *broken = authority_broken(ret);
    if (broken) {
        TRY(op,
            codec_yaml_refuse(op, kw_bytes_span(text), broken->field, broken->says, broken->source),
            "%s", path);
    }
    return KW_OK;
}

const struct authority *plan_find(const struct plan *plan, const char *name)
{
    for (unsigned i = 0; i < plan->n; i++) {
        if (strcmp(plan->at[i].name, name) == 0) {
            return &plan->at[i];
        }
    }
    return NULL;
}

struct loading {
    const char *dir;
    struct plan *plan;
};

static kw_status load_one(struct kw_op *op, const char *name, void *ctx)
{
    struct loading *loading = ctx;
    struct plan *plan = loading->plan;
    char path[KW_PATH_BYTES];

    ENSURE(op, plan->n < PLAN_MAX, KW_E_LIMIT, "more than %d authorities", (int)PLAN_MAX);
    TRY(op, os_path_join(op, path, sizeof(path), loading->dir, name));
    TRY(op, plan_read(op, path, &plan->at[plan->n]));
    ENSURE(op, !plan_find(plan, plan->at[plan->n].name), KW_E_INPUT,
           "%s: another file has an authority '%s' too", path, plan->at[plan->n].name);
    plan->n++;
    return KW_OK;
}

/* Its issuer, if it has one, stands before it already. */
static bool ready(const struct plan *sorted, const struct authority *authority)
{
    return !*authority->issuer || plan_find(sorted, authority->issuer);
}

static kw_status add_ready(struct kw_op *op, const struct plan *from, struct plan *sorted)
{
    unsigned before = sorted->n;

    for (unsigned i = 0; i < from->n; i++) {
        const struct authority *one = &from->at[i];
        if (plan_find(sorted, one->name) || !ready(sorted, one)) {
            continue;
        }
        const struct authority *issuer = plan_find(sorted, one->issuer);
        ENSURE(op, !issuer || authority_may_sign(issuer, one), KW_E_INPUT,
               "authority '%s' may not sign '%s': it is no offline one, or its path length is too "
               "short",
               one->issuer, one->name);
        sorted->at[sorted->n++] = *one;
    }
    ENSURE(op, sorted->n > before, KW_E_INPUT,
           "an authority is signed by one that is not there, or they sign each other");
    return KW_OK;
}

kw_status plan_load(struct kw_op *op, const char *dir, struct plan *ret)
{
    struct plan plan = {0};
    struct loading loading = {.dir = dir, .plan = &plan};

    TRY(op, os_dir_each(op, dir, ".yaml", load_one, &loading), "reading authorities");
    ENSURE(op, plan.n > 0, KW_E_NOT_FOUND, "no authority in %s", dir);
    memset(ret, 0, sizeof(*ret));
    while (ret->n < plan.n) {
        TRY(op, add_ready(op, &plan, ret), "%s", dir);
    }
    return KW_OK;
}
