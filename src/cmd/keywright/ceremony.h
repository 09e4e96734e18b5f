/* The root: made, sealed under shares, used to sign the issuing CAs, and put away. Never on the
 * server. */
#ifndef CMD_KEYWRIGHT_CEREMONY_H
#define CMD_KEYWRIGHT_CEREMONY_H

#include "crypto/cert.h"
#include "crypto/crl.h"
#include "model/authority.h"
#include "service/service.h"

/* A root, or an offline CA that it has signed. */
struct ceremony_root {
    struct privkey *key; /* only for as long as the ceremony lasts */
    struct cert *cert;
};
void ceremony_root_done(struct ceremony_root *root);

/* Take back what ceremony_make_root() wrote, of a ceremony that failed; other files stay. */
void ceremony_discard(const char *dir);
/* What a certificate of an authority is made of, besides keys. */
struct ceremony_place {
    const struct authority *authority;
    const char *organization, *public_url, *server_name;
    const char *issuer;  /* id of the key that signs, in URLs; NULL: as the authority's file */
    const char *domains; /* more DNS names and addresses for an authority of "hosts"; may be NULL */
};
/* Into how many shares its key goes, and how many open it. */
struct ceremony_shares {
    unsigned m, n;
};
/**
 * Make the key of a root (issuer NULL) or offline CA and its certificate, and write into `dir`:
 * root.key.sealed (AES-256-GCM), root.pem, share-1.txt … share-N.txt (0600). The shares are read
 * back and tried before this returns.
 */
kw_status ceremony_make_offline(struct kw_op *op, const char *dir,
                                const struct ceremony_place *place,
                                const struct ceremony_root *issuer,
                                const struct ceremony_shares *shares, struct ceremony_root *ret);
/* Sign the certificate of the authority of this place, as its plan says. */
kw_status ceremony_sign_ca(struct kw_op *op, const struct ceremony_root *issuer,
                           const struct ceremony_place *place, const struct pubkey *key,
                           struct kw_bytes **ret);
/* Its CRL, for a year, with these entries: their serial numbers ascend. */
kw_status ceremony_sign_crl(struct kw_op *op, const struct ceremony_root *root, uint64_t number,
                            const struct crl_entry at[], size_t n, struct kw_bytes **ret);
/* Open the root of a ceremony with the shares that are in `dir`. KW_E_DENIED too few of them. Free
 * with ceremony_root_done() in any case. */
kw_status ceremony_open_root(struct kw_op *op, const char *dir, struct ceremony_root *ret);
/* The certificate of a CA's next key: as the one before, for as long again. KW_E_DENIED that one is
 * not by this root. */
kw_status ceremony_sign_next(struct kw_op *op, const struct ceremony_root *root,
                             const struct cert *before, const struct pubkey *key,
                             struct kw_bytes **ret);
/* Link certificate: the subject's name and key, signed by another root, for as long as both are
 * (RFC 4210 section 4.4). */
kw_status ceremony_sign_link(struct kw_op *op, const struct ceremony_root *signer,
                             const struct ceremony_root *subject, struct kw_bytes **ret);
/* A CA's certificate by the next root: for the same key, bounded and ending as the one before. */
kw_status ceremony_sign_again(struct kw_op *op, const struct ceremony_root *root,
                              const struct cert *before, const char *crl_url, const char *ca_url,
                              struct kw_bytes **ret);
/* DER of "O=organization, CN=name"; without CN where name is NULL. */
kw_status ceremony_name(struct kw_op *op, const char *organization, const char *name,
                        struct kw_out *der);

#endif
