#include "model/authority.h"

#include "base/time.h"

enum { SECONDS_PER_HOUR = 3600 };

struct word {
    const char *text;
    int value;
};
static const struct word kinds[] = {
    {"root",    AUTHORITY_ROOT   },
    {"offline", AUTHORITY_OFFLINE},
    {"issuing", AUTHORITY_ISSUING},
};
static const struct word names[] = {
    {"hosts", AUTHORITY_NAMES_HOSTS},
    {"any",   AUTHORITY_NAMES_ANY  },
};
/* The keeper makes CA keys on these curves only. */
static const struct word algs[] = {
    {"ec-p256", 1},
    {"ec-p384", 2},
};
static const struct vocabulary {
    const char *field;
    const struct word *words;
    size_t n;
} vocabularies[] = {
    {"kind",    kinds, KW_COUNT(kinds)},
    {"names",   names, KW_COUNT(names)},
    {"key_alg", algs,  KW_COUNT(algs) },
};

const char *authority_word(const char *field, size_t i)
{
    for (size_t k = 0; k < KW_COUNT(vocabularies); k++) {
        if (strcmp(vocabularies[k].field, field) == 0) {
            return i < vocabularies[k].n ? vocabularies[k].words[i].text : NULL;
        }
    }
    return NULL;
}

static int value_of(const struct word words[], size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(words[i].text, text) == 0) {
            return words[i].value;
        }
    }
    return 0;
}

enum authority_kind authority_kind_of(const struct authority *authority)
{
    return (enum authority_kind)value_of(kinds, KW_COUNT(kinds), authority->kind);
}

enum authority_names authority_names_of(const struct authority *authority)
{
    return (enum authority_names)value_of(names, KW_COUNT(names), authority->names);
}

int authority_path_len(const struct authority *authority)
{
    return authority_kind_of(authority) == AUTHORITY_ROOT ? -1 : (int)authority->path_len;
}

bool authority_may_sign(const struct authority *issuer, const struct authority *authority)
{
    int above = authority_path_len(issuer), below = authority_path_len(authority);

    return authority_kind_of(issuer) != AUTHORITY_ISSUING &&
           authority_kind_of(authority) != AUTHORITY_ROOT && (above < 0 || above > below);
}

int64_t authority_not_after(const struct authority *authority, int64_t now_s)
{
    return authority->no_end ? KW_TIME_NEVER
                             : now_s + (int64_t)authority->validity_hours * SECONDS_PER_HOUR;
}

/* --- laws ------------------------------------------------------------------------------------- */

/* Part of URLs, file names and key ids. */
static bool name_plain(const struct authority *authority)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t len = strlen(authority->name);

    return len > 0 && len <= 40 && authority->name[0] != '-' &&
           strspn(authority->name, allowed) == len;
}

static bool kind_known(const struct authority *authority)
{
    return authority_kind_of(authority) != 0;
}

static bool issuer_fits(const struct authority *authority)
{
    return (authority_kind_of(authority) == AUTHORITY_ROOT) == (authority->issuer[0] == '\0') &&
           strcmp(authority->issuer, authority->name) != 0;
}

static bool subject_same_for_all(const struct authority *authority)
{
    unsigned bits = 0;

    if (authority->n_subject_dn < 2 || authority->n_subject_dn > SUBJECT_PARTS_MAX ||
        strcmp(authority->subject_dn[0], "O={organization}") != 0) {
        return false;
    }
    for (uint32_t i = 0; i < authority->n_subject_dn; i++) {
        if (!kw_ok(subject_part_words(authority->subject_dn[i], &bits)) ||
            (bits & ~(unsigned)SUBJECT_ORGANIZATION) != 0) {
            return false;
        }
    }
    return true;
}

static bool alg_known(const struct authority *authority)
{
    return value_of(algs, KW_COUNT(algs), authority->key_alg) != 0;
}

static bool validity_given(const struct authority *authority)
{
    return authority->no_end == (authority->validity_hours == 0);
}

static bool path_len_fits(const struct authority *authority)
{
    return authority_kind_of(authority) == AUTHORITY_OFFLINE ? authority->path_len >= 1
                                                             : authority->path_len == 0;
}

static bool names_known(const struct authority *authority)
{
    return authority_names_of(authority) != 0;
}

static bool hosts_where_they_count(const struct authority *authority)
{
    return authority->n_hosts == 0 || authority_names_of(authority) == AUTHORITY_NAMES_HOSTS;
}

/* Its OCSP answers are signed by a certificate of its own (RFC 6960 section 4.2.2.2). */
static bool purposes_let_ocsp(const struct authority *authority)
{
    bool found = authority->n_purposes == 0;

    for (uint32_t i = 0; i < authority->n_purposes; i++) {
        found |= strcmp(authority->purposes[i], "1.3.6.1.5.5.7.3.9") == 0;
    }
    return found;
}

static bool purposes_of_issuing(const struct authority *authority)
{
    return authority->n_purposes == 0 || authority_kind_of(authority) == AUTHORITY_ISSUING;
}

#define ROW(field, holds, says, source) {(field), (holds), (says), (source)}
/* clang-format off */
const struct authority_law authority_laws[] = {
    ROW("name", name_plain, "a name has up to 40 small letters, digits and '-'", "part of URLs, file names and key ids"),
    ROW("kind", kind_known, "the kind is none of root, offline, issuing", "decision"),
    ROW("issuer", issuer_fits, "a root signs itself, all others are signed by another", "RFC 5280 section 3.2"),
    ROW("subject_dn", subject_same_for_all,
        "the name is O={organization} and at least one part more, without other words in braces", "RFC 5280 section 4.1.2.6"),
    ROW("key_alg", alg_known, "CA keys are ec-p256 or ec-p384", "SP 800-57 part 1 table 2"),
    ROW("validity_hours", validity_given, "either no_end or validity_hours must be given, not both", "RFC 5280 section 4.1.2.5"),
    ROW("path_len", path_len_fits, "only an offline CA has a path length, at least 1: issuing ones have 0, roots none",
        "RFC 5280 section 4.2.1.9"),
    ROW("names", names_known, "the names are neither hosts nor any", "RFC 5280 section 4.2.1.10"),
    ROW("hosts", hosts_where_they_count, "hosts go with names: hosts", "RFC 5280 section 4.2.1.10"),
    ROW("purposes", purposes_of_issuing, "only an issuing CA is bound to purposes", "decision"),
    ROW("purposes", purposes_let_ocsp, "the purposes of a CA hold its OCSP signer's, 1.3.6.1.5.5.7.3.9", "RFC 6960 section 4.2.2.2"),
};
/* clang-format on */
const size_t authority_laws_count = KW_COUNT(authority_laws);

const struct authority_law *authority_broken(const struct authority *authority)
{
    for (size_t i = 0; i < KW_COUNT(authority_laws); i++) {
        if (!authority_laws[i].holds(authority)) {
            return &authority_laws[i];
        }
    }
    return NULL;
}
