#include "cmd/keywright/people.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "base/pem.h"
#include "codec/yaml.h"
#include "crypto/cert.h"
#include "os/files.h"

enum { PEM_MAX = 65536 };

kw_status people_read_key(struct kw_op *op, const char *path, struct pubkey **ret)
{
    AUTO(kw_bytes) *pem = NULL;
    AUTO(kw_bytes) *der = NULL;

    TRY(op, os_file_read(op, path, PEM_MAX, &pem), "%s", path);
    struct kw_span rest = kw_bytes_span(pem);
    if (kw_ok(kw_pem_next(&rest, "PUBLIC KEY", ROSTER_SPKI_MAX, &der))) {
        TRY(op, pubkey_parse(op, kw_bytes_span(der), ret), "%s", path);
        return KW_OK;
    }
    struct cert *found[1] = {NULL};
    unsigned n = 0;
    TRY(op, cert_parse_pem(op, kw_bytes_span(pem), found, 1, &n),
        "%s holds neither a public key nor a certificate (PEM)", path);
    *ret = pubkey_ref(cert_public(found[0]));
    cert_unref(found[0]);
    return KW_OK;
}

kw_status people_add(struct kw_op *op, struct roster *roster, const char *name, uint32_t roles,
                     const struct pubkey *key)
{
    struct kw_span spki = pubkey_spki(key);

    ENSURE(op, roster->n < ROSTER_MAX, KW_E_LIMIT, "at most %d people approve", ROSTER_MAX);
    ENSURE(op, strlen(name) <= ROSTER_NAME_LEN && approval_name_good(name), KW_E_INPUT,
           "'%.40s' cannot be the name of who approves (1 to %d octets)", name, ROSTER_NAME_LEN);
    ENSURE(op, spki.len <= ROSTER_SPKI_MAX, KW_E_INPUT, "the key of '%s' is too long", name);
    for (unsigned i = 0; i < roster->n; i++) {
        const struct approver *other = &roster->at[i];
        ENSURE(op,
               strcmp(other->name, name) != 0 &&
                   !kw_span_equal(KW_SPAN(other->spki, other->spki_len), spki),
               KW_E_INPUT, "'%s' has the name or the key of '%s': each person once", name,
               other->name);
    }
    struct approver *who = &roster->at[roster->n++];
    memset(who, 0, sizeof(*who));
    who->roles = roles;
    who->spki_len = (uint32_t)spki.len;
    memcpy(who->spki, spki.p, spki.len);
    ENSURE(op, KW_TEXT_SET(who->name, name), KW_E_INPUT, "the name is too long");
    return KW_OK;
}

kw_status people_parse(struct kw_op *op, const char *text, struct people_arg *ret)
{
    const char *equal = strchr(text, '=');
    const char *colon = strrchr(text, ':');

    memset(ret, 0, sizeof(*ret));
    ret->roles = ROLE_SECURITY_OFFICER;
    if (colon && approval_roles_from_text(colon + 1) != 0) {
        ret->roles = approval_roles_from_text(colon + 1);
    } else {
        ENSURE(op, !colon || (equal && colon > equal), KW_E_INPUT,
               "--approver %.60s: '%.40s' are no roles (security-officer, release-manager, "
               "operator, auditor)",
               text, colon ? colon + 1 : "");
        colon = text + strlen(text);
    }
    const char *name_end = equal ? equal : colon;
    size_t n_name = (size_t)(name_end - text), n_file = equal ? (size_t)(colon - equal - 1) : 0;
    ENSURE(op, n_name > 0 && n_name <= ROSTER_NAME_LEN && n_file < sizeof(ret->file), KW_E_INPUT,
           "--approver takes NAME[=FILE][:ROLE,...], a name of at most %d octets", ROSTER_NAME_LEN);
    memcpy(ret->name, text, n_name);
    if (n_file > 0) {
        memcpy(ret->file, equal + 1, n_file);
    }
    return KW_OK;
}

/* --- rules ------------------------------------------------------------------------------------ */

struct rule_row {
    char operation[24], class_[24], roles[ROLE_TEXT_MAX];
    uint32_t needed, hours;
};
struct rule_file {
    unsigned n;
    struct rule_row rules[ROSTER_RULES_MAX];
};
static const struct codec_field row_fields[] = {
    FIELD_STRING("operation", struct rule_row, operation, CODEC_REQUIRED, "which operation"),
    FIELD_STRING("class", struct rule_row, class_, 0, "of which keys; any where absent"),
    FIELD_INT("approvals", struct rule_row, needed, CODEC_REQUIRED, 0, ROSTER_NEEDED_MAX,
              "how many, besides who asks"),
    FIELD_STRING("roles", struct rule_row, roles, CODEC_REQUIRED, "by whom"),
    FIELD_INT("hours", struct rule_row, hours, CODEC_REQUIRED, 1, ROSTER_DEADLINE_MAX_S / 3600,
              "until when"),
};
static const struct codec_field file_fields[] = {
    FIELD_ARRAY("rules", struct rule_file, rules, n, CODEC_REQUIRED, row_fields,
                "what needs approval"),
};

static kw_status take_rule(struct kw_op *op, const struct rule_row *row, unsigned needed,
                           struct approval_rule *ret)
{
    bool any = row->class_[0] == '\0' || strcmp(row->class_, "any") == 0;

    *ret = (struct approval_rule){.op = approval_op_from_text(row->operation),
                                  .class_ = any ? KEY_CLASS_NONE : key_class_from_text(row->class_),
                                  .needed = needed > 0 && row->needed > 0 ? needed : row->needed,
                                  .roles = approval_roles_from_text(row->roles),
                                  .deadline_s = row->hours * 3600};
    ENSURE(op, ret->op != APPROVE_NONE, KW_E_INPUT, "'%s' is no operation that can need approval",
           row->operation);
    ENSURE(op, any || ret->class_ != KEY_CLASS_NONE, KW_E_INPUT, "'%s' is no class of keys",
           row->class_);
    ENSURE(op, ret->roles != 0, KW_E_INPUT, "'%s' are no roles", row->roles);
    return KW_OK;
}

kw_status people_rules(struct kw_op *op, const char *profiles_dir, unsigned needed,
                       struct roster *ret)
{
    struct rule_file file = {0};
    char path[KW_PATH_BYTES];
    AUTO(kw_bytes) *text = NULL;

    TRY(op, os_path_join(op, path, sizeof(path), profiles_dir, "approvals/rules.yaml"));
    TRY(op, os_file_read(op, path, KW_YAML_DOC_MAX, &text), "rules of approval (set --profiles)");
    TRY(op, codec_yaml_decode(op, kw_bytes_span(text), file_fields, KW_COUNT(file_fields), &file),
        "%s", path);
    for (unsigned i = 0; i < file.n; i++) {
        TRY(op, take_rule(op, &file.rules[i], needed, &ret->rules[i]), "%s", path);
    }
    ret->n_rules = file.n;
    return KW_OK;
}

/* --- telling ---------------------------------------------------------------------------------- */

void people_print(const struct roster *roster)
{
    char roles[ROLE_TEXT_MAX];
    bool all = true;

    for (unsigned i = 0; i < roster->n; i++) {
        (void)printf("approver       %-18s %s\n", roster->at[i].name,
                     approval_roles_text(roster->at[i].roles, roles));
    }
    for (unsigned i = 0; i < roster->n_rules; i++) {
        const struct approval_rule *rule = &roster->rules[i];
        if (roster_can_meet(roster, rule)) {
            continue;
        }
        (void)printf("not possible   %-18s until %u of %s are enrolled besides who asks\n",
                     approval_op_text(rule->op), (unsigned)rule->needed,
                     approval_roles_text(rule->roles, roles));
        all = false;
    }
    if (!all) {
        (void)printf("               enrol them: keywright approval enroll NAME --public FILE\n");
    }
}

void people_at_machine(struct kw_op *op)
{
    const struct passwd *person = getpwuid(getuid());

    (void)snprintf(op->principal, sizeof(op->principal), "local:%.60s",
                   person ? person->pw_name : "unknown");
}
