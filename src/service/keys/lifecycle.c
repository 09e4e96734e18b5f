#include "service/keys/lifecycle.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/hex.h"
#include "base/time.h"
#include "crypto/alg.h"
#include "service/keys/line.h"
#include "service/keys/own.h"
#include "service/keys/verbs.h"

/* All that is known of the key while its table is filled. */
struct facts {
    struct service *service;
    struct keeper_key_life life;
    struct key_policy policy;
    bool has_policy; /* a destroyed key has none any more */
    struct keeper_key_info info;
    bool has_info;
    const struct class_facts *class_;
    struct lifecycle *table;
};

/* --- what is so for every key of a class ------------------------------------------------------ */

/* clang-format off */
static const struct class_facts {
    enum key_class class_;
    const char *purpose, *operations, *callers, *mechanism, *revocation;
    bool rotates_itself;
} classes[] = {
    {KEY_CLASS_ISSUING_CA,   "signing CA",        "certificates by rule, CRLs, cross certificates",      "gate: issuance, CRL maker",  "X.509, RFC 5280",           "cACompromise at the root (CRL), new key by 'ca rotate'", false},
    {KEY_CLASS_OCSP_SIGNER,  "certificate status","OCSP answers for one CA",                             "gate: OCSP responder",       "OCSP, RFC 6960",            "new delegated signer; its certificate is revoked",       true },
    {KEY_CLASS_TLS_SERVER,   "communication",     "TLS 1.3 server CertificateVerify",                    "gate: listeners",            "TLS 1.3, RFC 8446",         "certificate revoked (OCSP, CRL), new key at once",       true },
    {KEY_CLASS_LOG_SIGNER,   "log",               "checkpoints of one log that only grows, its successor","gate: log sequencer",       "C2SP tlog-checkpoint",      "successor announced; verifiers told out of band",        true },
    {KEY_CLASS_KEK,          "data encryption",   "wrap and unwrap data keys, seal, open",               "gate: data keys",            "AES-KWP, AES-256-GCM",      "re-wrap of all data keys",                               false},
    {KEY_CLASS_MAC,          "data authentication","authentication codes",                               "gate: data keys",            "HMAC-SHA-256",              "new key",                                                false},
    {KEY_CLASS_KDF,          "key derivation",    "derivation by label",                                 "gate: data keys",            "HKDF, RFC 5869",            "new key, new derived keys",                              false},
    {KEY_CLASS_FIRMWARE,     "firmware update",   "firmware digests of one product",                     "gate: releases",             "MCUboot image signature",   "TUF targets without the key",                            false},
    {KEY_CLASS_TUF,          "firmware update",   "metadata of one TUF role",                            "gate: releases",             "TUF 1.0",                   "new root or targets metadata",                           false},
    {KEY_CLASS_PROVISIONING, "provisioning",      "provisioning statements",                             "gate: factory",              "signed statement",          "station's statements refused",                           false},
    {KEY_CLASS_EVIDENCE,     "evidence",          "evidence and destruction statements",                 "gate: evidence",             "signed statement",          "evidence made anew",                                     false},
    {KEY_CLASS_CMP,          "enrolment",         "answers of the certificate management protocol",      "gate: CMP server",           "CMP, RFC 9810",             "certificate revoked (OCSP, CRL), new key at once",       true },
};
/* clang-format on */

static const struct class_facts *class_facts_of(enum key_class class_)
{
    static const struct class_facts none = {KEY_CLASS_NONE, "", "", "", "", "", false};

    for (size_t i = 0; i < KW_COUNT(classes); i++) {
        if (classes[i].class_ == class_) {
            return &classes[i];
        }
    }
    return &none;
}

/* --- cells ------------------------------------------------------------------------------------ */

static struct lifecycle_row *next_row(struct lifecycle *table, const char *column)
{
    static struct lifecycle_row overflow; /* written, never read */

    if (table->n == LIFECYCLE_ROWS_MAX) {
        return &overflow;
    }
    struct lifecycle_row *row = &table->rows[table->n++];
    memset(row, 0, sizeof(*row));
    KW_TEXT_SET(row->column, column);
    return row;
}

static void put(struct facts *it, const char *column, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void put(struct facts *it, const char *column, const char *fmt, ...)
{
    struct lifecycle_row *row = next_row(it->table, column);
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(row->value, sizeof(row->value), fmt, args); /* cut to the cell */
    va_end(args);
}

/* A finding. */
static void empty(struct facts *it, const char *column, const char *why)
{
    KW_TEXT_SET(next_row(it->table, column)->why, why);
    it->table->n_empty++;
}

static const char *when(int64_t unix_s, char text[KW_TIME_TEXT])
{
    return kw_time_text(unix_s, text);
}

/* --- groups ----------------------------------------------------------------------------------- */

static bool is_destroyed(const struct facts *it)
{
    return it->life.state == KEY_DESTROYED;
}

static void put_identity(struct facts *it)
{
    char base[KW_NAME_MAX];
    unsigned generation = line_split(it->life.key_id, base);

    put(it, "key_id", "%s", it->life.key_id);
    put(it, "name", "%s, key %u of its line", base, generation);
    put(it, "purpose", "%s", it->class_->purpose);
    put(it, "scope", "backend (keeper)");
    put(it, "cardinality", "unique to this server");
    put(it, "type", "%s", key_class_type(it->life.class_));
    put(it, "algorithm", "%s, %u bits", key_alg_text((enum key_alg)it->life.alg),
        key_alg_strength((enum key_alg)it->life.alg));
    put(it, "criticality", "critical security parameter; its public half is public");
    put(it, "owner", "operators of %s", it->service->config.organization);
    put(it, "custodians", "whoever opens the vault (%s)",
        strncmp(it->service->config.unlock, "passphrase", 10) == 0 ? "passphrase" : "see unlock");
}

static void put_generation(struct facts *it)
{
    const struct keeper_key_phase *born = &it->life.phases[KEY_PRE_ACTIVE];
    char text[KW_TIME_TEXT];

    it->table->made_s = born->since_unix;
    put(it, "generation.where", "in the keeper process of this server");
    put(it, "generation.tool", "keywright-keeper " KW_VERSION);
    put(it, "generation.module", "OpenSSL provider of this system; FIPS validation not claimed");
    put(it, "generation.rng", "%s",
        it->has_info && strncmp(it->info.custody, "pkcs11", 6) == 0 ? "the token's"
                                                                    : "OpenSSL CTR-DRBG");
    if (*born->who) {
        put(it, "generation.by", "request %s (%s)", born->who, born->reason);
    } else {
        empty(it, "generation.by", "the keeper was not told who asked");
    }
    if (born->since_unix) {
        put(it, "generation.date", "%s", when(born->since_unix, text));
    } else {
        empty(it, "generation.date", "the key was never made");
    }
}

static void put_storage(struct facts *it)
{
    const char *custody = it->has_info ? it->info.custody : "";

    put(it, "provision.path", "none: made where it is used");
    put(it, "provision.wrap", "none: it never leaves");
    empty(it, "provision.witness", "no witness was recorded");
    put(it, "storage.backend", "%s",
        is_destroyed(it) ? "none: destroyed"
        : *custody       ? custody
                         : "unknown");
    put(it, "storage.class", "%s",
        is_destroyed(it)                   ? "none"
        : strstr(custody, "SIMULATED")     ? "SIMULATED, no hardware"
        : strncmp(custody, "soft", 4) == 0 ? "sealed (AES-256-GCM under the vault's KEK)"
                                           : "hardware");
    put(it, "storage.extractable", "no");
    put(it, "storage.backup", "%s",
        it->has_policy && it->policy.escrow ? "yes, sealed to recovery shares" : "no private part");
    put(it, "storage.escrow", "%s", it->has_policy && it->policy.escrow ? "yes" : "no");
}

static void put_use(struct facts *it)
{
    it->table->uses = it->life.uses;
    put(it, "use.operations", "%s", it->class_->operations);
    put(it, "use.callers", "%s", it->class_->callers);
    put(it, "use.count", "%llu", (unsigned long long)it->life.uses);
    put(it, "use.limit", "%llu in all, %u a minute (0: no limit)",
        (unsigned long long)(it->has_policy ? it->policy.usage_max : 0),
        it->has_policy ? it->policy.rate_per_minute : 0);
    put(it, "use.mechanism", "%s", it->class_->mechanism);
}

static void put_rotation(struct facts *it)
{
    const struct keeper_key_life *life = &it->life;
    char from[KW_TIME_TEXT], to[KW_TIME_TEXT];

    it->table->due_s = own_renew_at(life->not_before, life->not_after);
    it->table->end_s = life->not_after;
    it->table->has_successor = *life->successor != 0;
    put(it, "rotation.oup", "%s to %s", when(life->not_before, from), when(life->not_after, to));
    put(it, "rotation.rup", "%s",
        it->has_policy && it->policy.processing_until ? when(it->policy.processing_until, from)
                                                      : "none: it signs, verifiers need only the "
                                                        "public half");
    put(it, "rotation.auto", "%s",
        it->class_->rotates_itself ? "yes, at two thirds" : "no: keywright key rotate");
    put(it, "rotation.due", "%s", *life->successor ? "done" : when(it->table->due_s, from));
    put(it, "rotation.grace", "%u days", it->has_policy ? it->policy.overlap_s / 86400 : 0);
    put(it, "rotation.line", "before: %s; after: %s", *life->predecessor ? life->predecessor : "-",
        *life->successor ? life->successor : "-");
    if (*life->predecessor || *life->successor) {
        struct keeper_key_life next = *life;
        struct kw_op quiet;
        kw_op_init(&quiet, NULL, 0);
        if (*life->successor) {
            (void)kw_ok(keeper_key_history(&quiet, service_keeper(it->service, life->successor),
                                           life->successor, &next));
        }
        it->table->drill_s = next.phases[KEY_PRE_ACTIVE].since_unix;
        put(it, "rotation.drill", "%s", when(it->table->drill_s, from));
    } else {
        empty(it, "rotation.drill", "this line was never rotated");
    }
}

static void put_phase(struct facts *it, const char *column, enum key_state state,
                      const char *otherwise)
{
    const struct keeper_key_phase *phase = &it->life.phases[state];
    char text[KW_TIME_TEXT];

    if (phase->since_unix) {
        put(it, column, "%s by %s: %s", when(phase->since_unix, text), phase->who, phase->reason);
    } else {
        put(it, column, "%s", otherwise);
    }
}

static void put_revocation(struct facts *it)
{
    put_phase(it, "suspension", KEY_SUSPENDED, "never; keywright key suspend");
    put(it, "revocation.mechanism", "%s", it->class_->revocation);
    put(it, "revocation.who", "operators; approvals by the vault's rules");
    empty(it, "revocation.effect", "no drill has measured it for this key");
    empty(it, "revocation.drill", "no drill was recorded");
    put_phase(it, "compromise", KEY_COMPROMISED, "docs/KEYS.md, 'A key is stolen'");
}

static kw_status put_end(struct kw_op *op, struct facts *it)
{
    const struct keeper_key_phase *end = &it->life.phases[KEY_DESTROYED];
    char text[KW_TIME_TEXT];
    AUTO(kw_bytes) *proof = NULL;

    put(it, "expiry", "%s", when(it->life.not_after, text));
    put(it, "archive", "%s",
        is_destroyed(it) ? "record kept in the keeper and in the log"
                         : "on destruction the record stays: keywright key archive");
    put(it, "destruction.method", "%s",
        is_destroyed(it) ? "overwritten, vault KEK retired, use probed"
                         : "will be: overwritten (token: object destroyed), probed");
    if (!is_destroyed(it)) {
        put(it, "destruction.date", "not destroyed");
        put(it, "destruction.proof", "not destroyed");
        put(it, "destruction.witness", "not destroyed");
        return KW_OK;
    }
    it->table->destroyed_s = end->since_unix;
    put(it, "destruction.date", "%s by %s: %s", when(end->since_unix, text), end->who, end->reason);
    kw_status status = key_destruction(op, it->service, it->life.key_id, &proof);
    if (kw_ok(status)) {
        put(it, "destruction.proof", "keywright key destroy %s: signed statement", it->life.key_id);
    } else {
        kw_op_clear(op);
        empty(it, "destruction.proof", "no statement was kept");
    }
    empty(it, "destruction.witness", "no witness was recorded");
    return KW_OK;
}

/* "active 2026-01-01T…Z by …; …": in the order of time as far as states say. */
static void put_history(struct facts *it)
{
    char text[LIFECYCLE_VALUE_MAX] = "", time[KW_TIME_TEXT];
    size_t n = 0;

    put(it, "state", "%s", key_state_text(it->life.state));
    for (unsigned i = 0; i < KEY_STATE_MAX && n < sizeof(text); i++) {
        const struct keeper_key_phase *phase = &it->life.phases[i];
        if (phase->since_unix) {
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %s by %.24s", n ? "; " : "",
                                  key_state_text((enum key_state)i), when(phase->since_unix, time),
                                  phase->who);
        }
    }
    put(it, "history", "%s", text);
    empty(it, "refs", "no requirement was linked to this key");
}

/* --- gathering -------------------------------------------------------------------------------- */

static kw_status absent_is_fine(struct kw_op *op, kw_status status, bool *ret_there)
{
    *ret_there = kw_ok(status);
    if (status.code == KW_E_NOT_FOUND || status.code == KW_E_STATE) {
        kw_op_clear(op);
        return KW_OK;
    }
    return status;
}

static kw_status gather(struct kw_op *op, struct facts *it, const char *key_id)
{
    struct keeper *keeper = service_keeper(it->service, key_id);

    TRY(op, keeper_key_history(op, keeper, key_id, &it->life), "key '%s'", key_id);
    KW_TEXT_SET(it->life.key_id, key_id);
    TRY(op,
        absent_is_fine(op, keeper_key_policy(op, keeper, key_id, &it->policy), &it->has_policy));
    return absent_is_fine(op, keeper_key_find(op, keeper, key_id, &it->info), &it->has_info);
}

kw_status lifecycle_of(struct kw_op *op, struct service *service, const char *key_id,
                       struct lifecycle *ret)
{
    struct facts it = {.service = service, .table = ret};

    memset(ret, 0, sizeof(*ret));
    TRY(op, gather(op, &it, key_id));
    it.class_ = class_facts_of(it.life.class_);
    KW_TEXT_SET(ret->id, key_id);
    KW_TEXT_SET(ret->class_, key_class_text(it.life.class_));
    KW_TEXT_SET(ret->state, key_state_text(it.life.state));
    KW_TEXT_SET(ret->custody, it.has_info ? it.info.custody : "-");
    put_identity(&it);
    put_generation(&it);
    put_storage(&it);
    put_use(&it);
    put_rotation(&it);
    put_revocation(&it);
    TRY(op, put_end(op, &it));
    put_history(&it);
    return KW_OK;
}
