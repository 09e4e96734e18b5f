/*
 * The issuing CAs as they stand: certificates, OCSP signers, and the keys bound to each profile's
 * rule. One immutable set, shared by all threads; a rotation puts another one in its place, and
 * whoever still works with the old one keeps it for as long as that takes.
 */
#ifndef SERVICE_AUTHORITIES_H
#define SERVICE_AUTHORITIES_H

#include <stdatomic.h>

#include "service/service.h"

enum {
    AUTHORITIES_ROOTS_MAX = 8,   /* keys that the root ever had */
    AUTHORITIES_BETWEEN_MAX = 8, /* offline CAs between an issuing one and its root */
    AUTHORITIES_PATH_MAX = 1 + AUTHORITIES_BETWEEN_MAX + AUTHORITIES_ROOTS_MAX,
    AUTHORITIES_TOPS_MAX = AUTHORITIES_ROOTS_MAX + PLAN_MAX
};

/* One key of one issuing CA. A CA that was rotated has several, with one name: the newest issues,
 * the older ones sign CRLs and answer by OCSP for what they have issued. */
struct ca {
    char id[KW_NAME_MAX];         /* "devices"; of the second key "devices.2" */
    char base[KW_NAME_MAX];       /* "devices" */
    unsigned generation;          /* 1, 2, … */
    unsigned index;               /* in the set; one id keeps its place while the server runs */
    bool issues;                  /* the newest of its base */
    char key_id[KW_NAME_MAX];     /* keeper's key: "ca-devices" */
    char taken_back[KW_NAME_MAX]; /* whose list has it, or a CA above it: "root"; "": none's */
    bool taken_back_above;        /* it is one above it that is on the list */
    char subject[256];            /* its name as text */
    struct cert *cert;
    struct privkey *crl_key;       /* the CA's key for CRLs */
    char ocsp_key_id[KW_NAME_MAX]; /* the keeper's key that ocsp_cert is for; "" without one */
    struct cert *ocsp_cert;        /* delegated signer; NULL until one is issued (init) */
    struct privkey *ocsp_key;
};

/* One key's certificate by its neighbour: a path for who trusts only the other one. */
struct cross {
    char name[KW_NAME_MAX]; /* of its file: "cross-devices.2-by-devices" */
    struct cert *cert;
};

/* One key of the root: "root", after a roll-over "root.2". */
struct root {
    char id[KW_NAME_MAX];
    unsigned generation; /* 1, 2, … */
    bool retired;        /* trusted and handed out no more */
    char subject[256];
    struct cert *cert;
};

/* An offline authority besides "root": another root, or a CA between a root and an issuing one. */
struct above {
    char name[KW_NAME_MAX];
    char subject[256];
    struct cert *cert;
};

struct authorities {
    atomic_uint refs;
    const struct plan *plan; /* the service's */
    unsigned n_roots;
    struct root roots[AUTHORITIES_ROOTS_MAX]; /* oldest first; the first one is always there */
    struct cert *root;                        /* the newest's certificate, borrowed */
    unsigned n_links;
    struct cross links[2 * AUTHORITIES_ROOTS_MAX]; /* between them */
    unsigned n_above;
    struct above above[PLAN_MAX];
    unsigned n;
    struct ca at[SERVICE_CAS_MAX];
    struct cert *cmp_cert; /* signer of CMP answers; NULL until one is issued (init) */
    struct privkey *cmp_key;
    unsigned n_cross;
    struct cross cross[SERVICE_CAS_MAX];
    /* by profile's place in service->profiles and CA's index: signs certificates under that rule;
     * NULL where the profile is not for that CA, or the CA does not issue any more */
    struct privkey *signs[SERVICE_PROFILES_MAX][SERVICE_CAS_MAX];
};

/* The set as it stands now, with a reference; NULL before service_bind_cas(). Any thread. */
struct authorities *service_authorities(struct service *service);
void authorities_unref(struct authorities *all);
KW_OWNED(authorities, struct authorities, authorities_unref)

/* Whose public key is it? The keeper's key of this class that has it. KW_E_NOT_FOUND. */
kw_status service_key_of(struct kw_op *op, struct service *service, enum key_class class_,
                         const struct pubkey *key, struct keeper_key_info *ret);
/* By id ("devices", "devices.2"). KW_E_NOT_FOUND. ret is borrowed from the set. */
kw_status authorities_find(struct kw_op *op, const struct authorities *all, const char *id,
                           const struct ca **ret);
/* The one that issues for this base. KW_E_NOT_FOUND. */
kw_status authorities_issuing(struct kw_op *op, const struct authorities *all, const char *base,
                              const struct ca **ret);
/* What the certificate file of an offline authority is called: "root", "above-NAME". */
void authorities_above_file(const char *name, char file[KW_NAME_MAX]);
/* The certificate of an offline authority, "root" among them; NULL where there is none. */
const struct cert *authorities_above(const struct authorities *all, const char *name);
/* The same by the name in an authority's file: of the root, its newest certificate. */
const struct cert *authorities_issuer_now(const struct authorities *all, const char *name);
/* "root", "root.2" */
void authorities_root_id(unsigned generation, char id[KW_NAME_MAX]);
/* Files of STATE/certs: the link certificate of a root by another, and the mark of a retired one.
 */
void authorities_link_name(const char *signer, const char *subject, char name[KW_NAME_MAX]);
void authorities_retired_name(const char *id, char name[KW_NAME_MAX]);
/* The one that signs CAs now. */
const struct root *authorities_newest_root(const struct authorities *all);
/* NULL where there is none of this id. */
const struct root *authorities_root_find(const struct authorities *all, const char *id);
/* The root's certificates that are not retired, newest first, borrowed. How many. */
unsigned authorities_trusted(const struct authorities *all,
                             struct cert *ret[AUTHORITIES_ROOTS_MAX]);
/* What goes along with a certificate by this CA: the CA's own, those between it and its root, then
 * the links from that root to each root before: so that it is a path for who knows an older root
 * only. Borrowed. How many. */
unsigned authorities_path(const struct authorities *all, const struct ca *ca,
                          struct cert *ret[AUTHORITIES_PATH_MAX]);
/* Where the path of this CA ends: the root's newest certificate, or that of the trade's own root;
 * NULL where that is not here. Borrowed. */
const struct cert *authorities_root_of(const struct authorities *all, const struct ca *ca);
/* All that is made in ceremonies: the roots that are trusted, those of trades among them, and the
 * CAs between these and the issuing ones. Borrowed. */
struct authorities_tops {
    unsigned n_roots, n_between;
    struct cert *roots[AUTHORITIES_TOPS_MAX], *between[PLAN_MAX];
};
void authorities_tops(const struct authorities *all, struct authorities_tops *ret);
/* Is this certificate by one of our roots, directly or through our offline CAs? KW_E_DENIED. */
kw_status authorities_verify(struct kw_op *op, const struct authorities *all,
                             const struct cert *cert);
/* What the cross certificate of `subject` by `signer` is called. */
void authorities_cross_name(const struct ca *signer, const struct ca *subject,
                            char name[KW_NAME_MAX]);
/* Is its certificate, or one above it, on the list (CRL) that the server has of who issued it? It
 * issues nothing then; CRLs and OCSP answers go on for what it has issued. */
bool ca_is_taken_back(const struct ca *ca);
/* What is next then: another key, or, where a CA above it was meant, another tree. */
void ca_taken_back_text(const struct ca *ca, char text[KW_OP_TEXT_MAX]);
/* KW_E_STATE, with words that say what is next. */
kw_status ca_refuse_taken_back(struct kw_op *op, const struct ca *ca);
/* Whose name and, where the certificate tells it, whose key a certificate says it was issued by;
 * NULL where that is none of ours. The signature is not looked at. */
const struct ca *authorities_issuer_of(const struct authorities *all, const struct cert *cert);
/* The key for a profile (one of service->profiles) at a CA. KW_E_INTERNAL where there is none. */
kw_status authorities_signer(struct kw_op *op, const struct service *service,
                             const struct authorities *all, const struct bound_profile *profile,
                             const struct ca *ca, struct privkey **ret);

#endif
