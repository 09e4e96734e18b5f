/* Authorities as data: roots and offline CAs that a ceremony makes, and the CAs that issue. Read
 * from YAML in profiles/authorities/. */
#ifndef MODEL_AUTHORITY_H
#define MODEL_AUTHORITY_H

#include "base/bytes.h"
#include "base/limits.h"
#include "model/subject_part.h"

enum authority_kind {
    AUTHORITY_ROOT = 1, /* self-signed; its key is made, split into shares and taken away */
    AUTHORITY_OFFLINE,  /* the same, but signed by another offline key */
    AUTHORITY_ISSUING,  /* its key is in the keeper; issues to end entities only */
};

/* What its certificate says of names (RFC 5280 section 4.2.1.10). */
enum authority_names {
    AUTHORITY_NAMES_HOSTS = 1, /* DNS names and addresses of this server and --domain only */
    AUTHORITY_NAMES_ANY,       /* nothing: for relying parties that know no name constraints */
};

enum { AUTHORITY_HOSTS_MAX = 4, AUTHORITY_PURPOSES_MAX = 6 };

struct authority {
    char name[KW_NAME_MAX]; /* of an issuing one: its id */
    char doc[256];
    char kind[12];            /* enum authority_kind: "root", "offline", "issuing" */
    char issuer[KW_NAME_MAX]; /* "" for a root */
    uint32_t n_subject_dn;
    char subject_dn[SUBJECT_PARTS_MAX][SUBJECT_PART_MAX]; /* only {organization} is filled in */
    char key_alg[16];
    bool no_end;
    uint32_t validity_hours;
    uint32_t path_len; /* offline: CAs that may stand below it in a path */
    char names[12];    /* enum authority_names: "hosts", "any" */
    uint32_t n_hosts;  /* hosts: more DNS names and addresses that its certificates may have */
    char hosts[AUTHORITY_HOSTS_MAX][128];
    uint32_t n_purposes; /* its own extended key usage: what its certificates may be for */
    char purposes[AUTHORITY_PURPOSES_MAX][48];
};

/* What an authority must keep to; docs/PROFILES.md prints it. */
struct authority_law {
    const char *field;
    bool (*holds)(const struct authority *authority);
    const char *says;
    const char *source;
};
extern const struct authority_law authority_laws[];
extern const size_t authority_laws_count;

/* The first law that it breaks; NULL: none. */
const struct authority_law *authority_broken(const struct authority *authority);
/* 0 where the word is unknown. */
enum authority_kind authority_kind_of(const struct authority *authority);
enum authority_names authority_names_of(const struct authority *authority);
/* Of its certificate: -1 a root, which has no limit; 0 an issuing one. */
int authority_path_len(const struct authority *authority);
/* May this one sign that one's certificate? */
bool authority_may_sign(const struct authority *issuer, const struct authority *authority);
int64_t authority_not_after(const struct authority *authority, int64_t now_s);
/* As profile_word(). */
const char *authority_word(const char *field, size_t i);

#endif
