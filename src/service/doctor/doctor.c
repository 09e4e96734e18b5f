#include "service/doctor/doctor.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "keeper/msg.h"
#include "os/clock.h"
#include "service/authorities.h"
#include "service/keys/data.h"
#include "service/keys/root_crl.h"
#include "store/revoke_plan.h"

enum {
    DAY_S = 86400,
    SOON_DAYS = 14,
    LIST_SOON_DAYS = 30,
    OPERATORS_SOON_DAYS = 30,
    DISK_WARNING_PERCENT = 10
};

const char *finding_level_text(enum finding_level level)
{
    static const char *const texts[] = {"ok", "note", "warning", "fault"};

    _Static_assert(KW_COUNT(texts) == FINDING_LEVEL_MAX, "a text for each level");
    return (unsigned)level < FINDING_LEVEL_MAX ? texts[level] : "fault";
}

struct visit {
    struct service *service;
    finding_fn each;
    void *ctx;
};

static kw_status tell(struct kw_op *op, const struct visit *visit, enum finding_level level,
                      const char *check, const char *object, const char *text)
{
    struct finding found = {.level = level};

    KW_TEXT_SET(found.check, check);
    KW_TEXT_SET(found.object, object);
    (void)snprintf(found.text, sizeof(found.text), "%s", text);
    return visit->each(op, visit->ctx, &found);
}

static enum finding_level level_of(const struct keeper_info *info)
{
    if (!info->log_writable) {
        return FINDING_WARNING;
    }
    return info->refusals > 0 ? FINDING_NOTE : FINDING_OK;
}

static kw_status look_at_vault(struct kw_op *op, const struct visit *visit, unsigned i)
{
    const char *name = visit->service->config.vaults[i].name;
    struct keeper_info info;
    char text[320];

    if (!kw_ok(keeper_info(op, visit->service->vaults[i], &info))) {
        (void)snprintf(text, sizeof(text), "vault '%.31s' cannot be asked: %.200s", name,
                       kw_op_cause(op));
        kw_op_clear(op);
        return tell(op, visit, FINDING_WARNING, "keeper", name, text);
    }
    (void)snprintf(
        text, sizeof(text),
        "vault '%.31s': %u keys, %llu uses; %llu refusals since its keeper's start, %llu "
        "of them not written%s",
        name, info.n_keys, (unsigned long long)info.signatures, (unsigned long long)info.refusals,
        (unsigned long long)info.refusals_unlogged,
        info.log_writable ? "" : "; refusals.log cannot be written");
    return tell(op, visit, level_of(&info), "keeper", name, text);
}

/* Nothing that depends on time is done there until a person looked. */
static kw_status look_at_clock(struct kw_op *op, const struct visit *visit, unsigned i)
{
    const char *name = visit->service->config.vaults[i].name;
    struct keeper_vault_status status;
    char text[320];

    if (!kw_ok(service_vault_status(op, visit->service, i, &status)) || status.clock_off_s == 0) {
        kw_op_clear(op); /* a vault that is away was told of */
        return KW_OK;
    }
    (void)snprintf(
        text, sizeof(text),
        "vault '%.31s' does not believe this machine's clock, %lld s %s: set it right, "
        "or: keywright vault clock %.31s",
        name, (long long)(status.clock_off_s > 0 ? status.clock_off_s : -status.clock_off_s),
        status.clock_off_s > 0 ? "later than it can be" : "behind a time that was here", name);
    return tell(op, visit, FINDING_FAULT, "clock", name, text);
}

static kw_status look_at_keeper(struct kw_op *op, const struct visit *visit)
{
    for (unsigned i = 0; i < visit->service->n_vaults; i++) {
        TRY(op, look_at_vault(op, visit, i));
        TRY(op, look_at_clock(op, visit, i));
    }
    return KW_OK;
}

static kw_status look_at_key(struct kw_op *op, const struct visit *visit,
                             const struct keeper_key_info *key, int64_t now_s)
{
    int64_t left_days = (key->not_after - now_s) / DAY_S;
    char text[256];

    if (key->state != KEY_ACTIVE) {
        return KW_OK;
    }
    if (left_days >= SOON_DAYS) {
        return KW_OK;
    }
    (void)snprintf(text, sizeof(text),
                   "its originator-usage period ends in %lld days: keywright key rotate %.95s",
                   (long long)(left_days < 0 ? 0 : left_days), key->key_id);
    return tell(op, visit, FINDING_WARNING, "period", key->key_id, text);
}

static kw_status look_at_keys(struct kw_op *op, const struct visit *visit)
{
    struct service_key_walk walk = {0};
    int64_t now_s = os_clock_unix_s();
    struct keeper_key_info key;

    for (;;) {
        kw_status status = service_key_next(op, visit->service, &walk, &key);
        if (status.code == KW_E_NOT_FOUND || status.code == KW_E_UNAVAILABLE) {
            kw_op_clear(op); /* vaults that are away were told of above */
            return KW_OK;
        }
        TRY(op, status, "keys of the keeper");
        TRY(op, look_at_key(op, visit, &key, now_s));
    }
}

static kw_status look_at_certs(struct kw_op *op, const struct visit *visit)
{
    int64_t left_s = atomic_load(&visit->service->own_certs_end_s) - os_clock_unix_s();
    char text[256];

    (void)snprintf(text, sizeof(text),
                   "the first of the server's own certificates (TLS, OCSP) ends in %lld days",
                   (long long)(left_s / DAY_S));
    return tell(op, visit,
                left_s < 0                    ? FINDING_FAULT
                : left_s < (int64_t)3 * DAY_S ? FINDING_WARNING
                                              : FINDING_OK,
                "certificates", "", text);
}

static kw_status count_operators(struct kw_op *op, struct store_conn *conn, void *ctx)
{
    int64_t row[1], soon_s = os_clock_unix_s() + (int64_t)OPERATORS_SOON_DAYS * DAY_S;

    return store_operator_rows(op, conn, soon_s, 1, row, ctx);
}

/* Who asks has one that is good now; but it may be the last, and nobody could issue another. */
static kw_status look_at_operators(struct kw_op *op, const struct visit *visit)
{
    unsigned n = 0;
    char text[256];

    TRY(op, store_read(op, visit->service->store, count_operators, &n));
    (void)snprintf(text, sizeof(text), "%s operator's certificate is good for %d days more%s",
                   n ? "an" : "no", OPERATORS_SOON_DAYS,
                   n ? "" : ": keywright cert issue --profile operator, before the last one ends");
    return tell(op, visit, n ? FINDING_OK : FINDING_WARNING, "operators", "", text);
}

/* Nobody gets a certificate of it until it has another key. */
static kw_status look_at_taken_back(struct kw_op *op, const struct visit *visit,
                                    const struct authorities *all)
{
    char text[256], why[KW_OP_TEXT_MAX];

    for (unsigned i = 0; i < all->n; i++) {
        const struct ca *ca = &all->at[i];
        if (!ca->issues || !ca_is_taken_back(ca)) {
            continue;
        }
        ca_taken_back_text(ca, why);
        (void)snprintf(text, sizeof(text), "it issues nothing: %s", why);
        TRY(op, tell(op, visit, FINDING_FAULT, "root lists", ca->id, text));
    }
    return KW_OK;
}

static kw_status look_at_list_of(struct kw_op *op, const struct visit *visit, const char *id)
{
    AUTO(crl_doc) *doc = NULL;
    char text[320];

    if (!kw_ok(root_crl_lend(op, visit->service, id, &doc))) {
        (void)snprintf(text, sizeof(text), "%.300s", kw_op_cause(op));
        kw_op_clear(op);
        return tell(op, visit, FINDING_FAULT, "root lists", id, text);
    }
    int64_t left_days = (doc->next_update - os_clock_unix_s()) / DAY_S;
    (void)snprintf(
        text, sizeof(text), "CRL %llu, %llu certificates taken back, ends in %lld days%s",
        (unsigned long long)doc->number, (unsigned long long)doc->entries, (long long)left_days,
        left_days < LIST_SOON_DAYS ? ": make the next one, keywright ca crl" : "");
    return tell(op, visit, left_days < LIST_SOON_DAYS ? FINDING_WARNING : FINDING_OK, "root lists",
                id, text);
}

static kw_status look_at_root_lists(struct kw_op *op, const struct visit *visit)
{
    AUTO(authorities) *all = service_authorities(visit->service);

    for (unsigned i = 0; i < all->n_roots; i++) {
        if (!all->roots[i].retired) {
            TRY(op, look_at_list_of(op, visit, all->roots[i].id));
        }
    }
    for (unsigned i = 0; i < all->n_above; i++) {
        TRY(op, look_at_list_of(op, visit, all->above[i].name));
    }
    return look_at_taken_back(op, visit, all);
}

static kw_status look_at_disk(struct kw_op *op, const struct visit *visit)
{
    struct statvfs about;
    char text[256];

    if (statvfs(visit->service->config.state_dir, &about) != 0 || about.f_blocks == 0) {
        return tell(op, visit, FINDING_WARNING, "disk", "", "its free room cannot be told");
    }
    unsigned percent = (unsigned)((double)about.f_bavail * 100 / (double)about.f_blocks);
    (void)snprintf(text, sizeof(text), "%u %% of the disk of the state folder are free", percent);
    return tell(op, visit, percent < DISK_WARNING_PERCENT ? FINDING_WARNING : FINDING_OK, "disk",
                "", text);
}

static kw_status look_at_line_of_data_keys(struct kw_op *op, const struct visit *visit,
                                           const char *kek)
{
    struct data_rewrap told;
    char text[320];

    if (!kw_ok(data_rewrap_status(op, visit->service, kek, &told))) {
        (void)snprintf(text, sizeof(text), "%.300s", kw_op_cause(op));
        kw_op_clear(op);
        return tell(op, visit, FINDING_WARNING, "data keys", kek, text);
    }
    if (told.left > 0) {
        (void)snprintf(text, sizeof(text),
                       "%llu data keys are not wrapped by '%.95s' yet: keywright data rewrap %.95s",
                       (unsigned long long)told.left, told.newest, kek);
        return tell(op, visit, FINDING_WARNING, "data keys", kek, text);
    }
    (void)snprintf(text, sizeof(text), "all are wrapped by '%.95s'%s%.160s", told.newest,
                   told.unneeded[0] ? "; no longer needed: " : "", told.unneeded);
    return tell(op, visit, told.unneeded[0] ? FINDING_NOTE : FINDING_OK, "data keys", kek, text);
}

static kw_status look_at_data_keys(struct kw_op *op, const struct visit *visit)
{
    char kek[KW_NAME_MAX] = "";

    for (;;) {
        kw_status status = store_data_key_next_kek(op, visit->service->store, kek, kek);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            return KW_OK;
        }
        TRY(op, status);
        TRY(op, look_at_line_of_data_keys(op, visit, kek));
    }
}

static kw_status look_at_journal(struct kw_op *op, const struct visit *visit)
{
    return reconcile(op, visit->service, visit->each, visit->ctx);
}

static kw_status look_at_profiles(struct kw_op *op, const struct visit *visit)
{
    return profiles_look(op, visit->service, visit->each, visit->ctx);
}

/* In the order in which they are told. */
static const struct {
    const char *check;
    kw_status (*look)(struct kw_op *op, const struct visit *visit);
} checks[] = {
    {"journal",      look_at_journal   },
    {"keeper",       look_at_keeper    },
    {"period",       look_at_keys      },
    {"data keys",    look_at_data_keys },
    {"certificates", look_at_certs     },
    {"operators",    look_at_operators },
    {"root lists",   look_at_root_lists},
    {"profiles",     look_at_profiles  },
    {"disk",         look_at_disk      },
};

/* A part that cannot be asked is a finding; the others are looked at all the same. */
kw_status doctor_run(struct kw_op *op, struct service *service, finding_fn each, void *ctx)
{
    struct visit visit = {service, each, ctx};
    char text[320];

    for (size_t i = 0; i < KW_COUNT(checks); i++) {
        if (!kw_ok(checks[i].look(op, &visit))) {
            (void)snprintf(text, sizeof(text), "it cannot be looked at: %s", kw_op_cause(op));
            kw_op_clear(op);
            TRY(op, tell(op, &visit, FINDING_FAULT, checks[i].check, "", text));
        }
    }
    return KW_OK;
}
