/*
 * Encoded roster, version 1; big-endian, text behind a u16 length:
 *   u8[4]  "KWRO", u16 version 1
 *   u8     number of approvers, 0..16, then each: text name, u32 roles, u16-span SPKI
 *   u8     number of rules, 1..32, then each: u8 operation, u8 class, u8 needed, u32 roles,
 *          u32 deadline_s
 */
#include "model/roster.h"

#include <stdio.h>

#include "base/op.h"
#include "base/reader.h"
#include "base/writer.h"

static const uint8_t magic[4] = {'K', 'W', 'R', 'O'};
enum {
    VERSION = 1,
    APPROVER_MAX = 2 + KW_NAME_MAX + 4 + 2 + ROSTER_SPKI_MAX,
    RULE_BYTES = 3 + 2 * 4,
};
_Static_assert(8 + ROSTER_MAX * APPROVER_MAX + ROSTER_RULES_MAX * RULE_BYTES <= ROSTER_ENCODED_MAX,
               "room of ROSTER_ENCODED_MAX always suffices");

/* --- roles ------------------------------------------------------------------------------------ */

static const struct {
    uint32_t bit;
    const char *text;
} roles_table[] = {
    {ROLE_SECURITY_OFFICER, "security-officer"},
    {ROLE_RELEASE_MANAGER,  "release-manager" },
    {ROLE_OPERATOR,         "operator"        },
    {ROLE_AUDITOR,          "auditor"         },
};

const char *approval_roles_text(uint32_t roles, char text[ROLE_TEXT_MAX])
{
    size_t n = 0;

    for (unsigned i = 0; i < KW_COUNT(roles_table); i++) {
        if (roles & roles_table[i].bit) {
            n += (size_t)snprintf(text + n, ROLE_TEXT_MAX - n, "%s%s", n > 0 ? "," : "",
                                  roles_table[i].text);
        }
    }
    if (n == 0) {
        (void)snprintf(text, ROLE_TEXT_MAX, "none");
    }
    return text;
}

static uint32_t role_of(const char *text, size_t n)
{
    for (unsigned i = 0; i < KW_COUNT(roles_table); i++) {
        if (strlen(roles_table[i].text) == n && strncmp(roles_table[i].text, text, n) == 0) {
            return roles_table[i].bit;
        }
    }
    return 0;
}

uint32_t approval_roles_from_text(const char *text)
{
    uint32_t roles = 0;

    for (;;) {
        size_t n = strcspn(text, ",");
        uint32_t bit = role_of(text, n);
        if (bit == 0 || (roles & bit)) {
            return 0;
        }
        roles |= bit;
        if (text[n] == '\0') {
            return roles;
        }
        text += n + 1;
    }
}

/* --- what is in range --------------------------------------------------------------------------
 */

static bool roles_good(uint32_t roles)
{
    return roles != 0 && (roles & ~(uint32_t)ROLE_ALL) == 0;
}

static struct kw_span spki_of(const struct approver *approver)
{
    return KW_SPAN(approver->spki, approver->spki_len);
}

static bool approver_good(const struct approver *approver)
{
    return approval_name_good(approver->name) && strlen(approver->name) <= ROSTER_NAME_LEN &&
           roles_good(approver->roles) && approver->spki_len > 0 &&
           approver->spki_len <= ROSTER_SPKI_MAX;
}

static bool rule_good(const struct approval_rule *rule)
{
    return rule->op > APPROVE_NONE && rule->op < APPROVE_MAX &&
           (unsigned)rule->class_ < KEY_CLASS_MAX && rule->needed <= ROSTER_NEEDED_MAX &&
           roles_good(rule->roles) && rule->deadline_s >= ROSTER_DEADLINE_MIN_S &&
           rule->deadline_s <= ROSTER_DEADLINE_MAX_S;
}

/* One person under two names, or one name for two, would make two approvals of one. */
static bool stands_twice(const struct roster *roster, unsigned i)
{
    for (unsigned k = 0; k < i; k++) {
        if (strcmp(roster->at[k].name, roster->at[i].name) == 0 ||
            kw_span_equal(spki_of(&roster->at[k]), spki_of(&roster->at[i]))) {
            return true;
        }
    }
    return false;
}

static bool rule_twice(const struct roster *roster, unsigned i)
{
    for (unsigned k = 0; k < i; k++) {
        if (roster->rules[k].op == roster->rules[i].op &&
            roster->rules[k].class_ == roster->rules[i].class_) {
            return true;
        }
    }
    return false;
}

static bool guards_itself(const struct roster *roster)
{
    const struct approval_rule *rule = roster_rule(roster, APPROVE_ROSTER, KEY_CLASS_NONE);

    return rule && rule->needed > 0;
}

static bool in_range(const struct roster *roster)
{
    if (roster->n > ROSTER_MAX || roster->n_rules > ROSTER_RULES_MAX) {
        return false;
    }
    for (unsigned i = 0; i < roster->n; i++) {
        if (!approver_good(&roster->at[i]) || stands_twice(roster, i)) {
            return false;
        }
    }
    for (unsigned i = 0; i < roster->n_rules; i++) {
        if (!rule_good(&roster->rules[i]) || rule_twice(roster, i)) {
            return false;
        }
    }
    return guards_itself(roster);
}

/* --- octets ----------------------------------------------------------------------------------- */

void roster_approver_write(struct kw_writer *w, const struct approver *approver)
{
    kw_writer_text(w, approver->name);
    kw_writer_u32(w, approver->roles);
    kw_writer_span16(w, spki_of(approver));
}

void roster_approver_read(struct kw_reader *r, struct approver *ret)
{
    memset(ret, 0, sizeof(*ret));
    kw_reader_text(r, ret->name, sizeof(ret->name));
    ret->roles = kw_reader_u32(r);
    struct kw_span spki = kw_reader_span16(r, sizeof(ret->spki));
    if (spki.len > 0) {
        memcpy(ret->spki, spki.p, spki.len);
    }
    ret->spki_len = (uint32_t)spki.len;
    if (!approver_good(ret)) {
        kw_reader_reject(r);
    }
}

void roster_rule_write(struct kw_writer *w, const struct approval_rule *rule)
{
    kw_writer_u8(w, (uint8_t)rule->op);
    kw_writer_u8(w, (uint8_t)rule->class_);
    kw_writer_u8(w, (uint8_t)rule->needed);
    kw_writer_u32(w, rule->roles);
    kw_writer_u32(w, rule->deadline_s);
}

void roster_rule_read(struct kw_reader *r, struct approval_rule *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->op = (enum approval_op)kw_reader_u8(r);
    ret->class_ = (enum key_class)kw_reader_u8(r);
    ret->needed = kw_reader_u8(r);
    ret->roles = kw_reader_u32(r);
    ret->deadline_s = kw_reader_u32(r);
    if (!rule_good(ret)) {
        kw_reader_reject(r);
    }
}

kw_status roster_encode(const struct roster *roster, struct kw_out *out)
{
    ENSURE(NULL, in_range(roster), KW_E_INPUT);
    out->len = 0;
    struct kw_writer w = kw_writer_of(out);
    kw_writer_put(&w, KW_SPAN_ARRAY(magic));
    kw_writer_u16(&w, VERSION);
    kw_writer_u8(&w, (uint8_t)roster->n);
    for (unsigned i = 0; i < roster->n; i++) {
        roster_approver_write(&w, &roster->at[i]);
    }
    kw_writer_u8(&w, (uint8_t)roster->n_rules);
    for (unsigned i = 0; i < roster->n_rules; i++) {
        roster_rule_write(&w, &roster->rules[i]);
    }
    return kw_writer_end(&w);
}

static unsigned read_count(struct kw_reader *r, unsigned max)
{
    unsigned n = kw_reader_u8(r);

    if (n > max) {
        kw_reader_reject(r);
        return 0;
    }
    return n;
}

kw_status roster_decode(struct kw_span encoded, struct roster *ret)
{
    struct kw_reader r = kw_reader_of(encoded);
    struct roster roster;

    memset(&roster, 0, sizeof(roster)); /* also the padding */
    ENSURE(NULL,
           kw_span_equal(kw_reader_take(&r, sizeof(magic)), KW_SPAN_ARRAY(magic)) &&
               kw_reader_u16(&r) == VERSION,
           KW_E_INPUT);
    roster.n = read_count(&r, ROSTER_MAX);
    for (unsigned i = 0; i < roster.n; i++) {
        roster_approver_read(&r, &roster.at[i]);
    }
    roster.n_rules = read_count(&r, ROSTER_RULES_MAX);
    for (unsigned i = 0; i < roster.n_rules; i++) {
        roster_rule_read(&r, &roster.rules[i]);
    }
    TRY(NULL, kw_reader_end(&r));
    ENSURE(NULL, in_range(&roster), KW_E_INPUT);
    *ret = roster;
    return KW_OK;
}

/* --- asking ----------------------------------------------------------------------------------- */

const struct approver *roster_find(const struct roster *roster, const char *name)
{
    for (unsigned i = 0; i < roster->n; i++) {
        if (strcmp(roster->at[i].name, name) == 0) {
            return &roster->at[i];
        }
    }
    return NULL;
}

static const struct approval_rule *rule_of(const struct roster *roster, enum approval_op op,
                                           enum key_class class_)
{
    for (unsigned i = 0; i < roster->n_rules; i++) {
        if (roster->rules[i].op == op && roster->rules[i].class_ == class_) {
            return &roster->rules[i];
        }
    }
    return NULL;
}

const struct approval_rule *roster_rule(const struct roster *roster, enum approval_op op,
                                        enum key_class class_)
{
    const struct approval_rule *rule = rule_of(roster, op, class_);

    return rule ? rule : rule_of(roster, op, KEY_CLASS_NONE);
}

unsigned roster_count(const struct roster *roster, uint32_t roles)
{
    unsigned n = 0;

    for (unsigned i = 0; i < roster->n; i++) {
        n += (roster->at[i].roles & roles) ? 1 : 0;
    }
    return n;
}

bool roster_can_meet(const struct roster *roster, const struct approval_rule *rule)
{
    return rule->needed == 0 ||
           (roster_count(roster, rule->roles) >= rule->needed && roster->n > rule->needed);
}
