#include "cmd/keywright/ceremony.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#include "base/pem.h"
#include "base/time.h"
#include "crypto/aead.h"
#include "crypto/alg.h"
#include "crypto/crl.h"
#include "crypto/dn.h"
#include "crypto/share.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/rng.h"
#include "service/authority/subject.h"

static const char SEAL_LABEL[] = "keywright root v1";
enum { YEAR_S = 31536000, BACKDATE_S = 300, SHARE_FILE_MAX = SHARE_TEXT_MAX, SEALED_MAX = 4096 };

void ceremony_root_done(struct ceremony_root *root)
{
    privkey_unref(root->key);
    cert_unref(root->cert);
    memset(root, 0, sizeof(*root));
}

kw_status ceremony_name(struct kw_op *op, const char *organization, const char *name,
                        struct kw_out *der)
{
    const struct dn_part parts[] = {
        {"O",  organization},
        {"CN", name        }
    };

    return dn_build(op, parts, name ? 2 : 1, der);
}

static kw_status fresh_serial(struct kw_op *op, uint8_t serial[KW_SERIAL_BYTES])
{
    TRY(op, os_random(op, serial, KW_SERIAL_BYTES));
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive, no leading zero octet */
    return KW_OK;
}

/* --- certificates ----------------------------------------------------------------------------- */

enum { HOSTS_MAX = CERT_SAN_MAX };

/* The texts that a certificate's description borrows. */
struct texts {
    char crl[320], issuer[320];
    char hosts[HOSTS_MAX][160];
    unsigned n_dns, n_ip;
};

static bool is_address(const char *text)
{
    struct in6_addr room;

    return inet_pton(AF_INET, text, &room) == 1 || inet_pton(AF_INET6, text, &room) == 1;
}

static kw_status permit_host(struct kw_op *op, const char *host, struct texts *texts,
                             struct cert_spec *spec)
{
    const char *mask =
        strchr(host, ':') ? "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" : "255.255.255.255";
    bool address = is_address(host);
    unsigned *n = address ? &texts->n_ip : &texts->n_dns, at = texts->n_ip + texts->n_dns;

    ENSURE(op, at < HOSTS_MAX, KW_E_INPUT, "more than %d names and addresses of servers",
           (int)HOSTS_MAX);
    (void)snprintf(texts->hosts[at], sizeof(texts->hosts[at]), address ? "%.70s/%s" : "%.150s",
                   host, mask);
    (address ? spec->permit_ip : spec->permit_dns)[(*n)++] = texts->hosts[at];
    return KW_OK;
}

/* Loopback is for tests and `make up`; the server's own name; then what the operator named. */
static kw_status permit_hosts(struct kw_op *op, const struct ceremony_place *place,
                              struct texts *texts, struct cert_spec *spec)
{
    const char *rest = place->domains ? place->domains : "";
    char host[128];

    TRY(op, permit_host(op, "localhost", texts, spec));
    TRY(op, permit_host(op, "127.0.0.1", texts, spec));
    if (strcmp(place->server_name, "localhost") != 0 &&
        strcmp(place->server_name, "127.0.0.1") != 0) {
        TRY(op, permit_host(op, place->server_name, texts, spec));
    }
    for (uint32_t i = 0; i < place->authority->n_hosts; i++) {
        TRY(op, permit_host(op, place->authority->hosts[i], texts, spec));
    }
    while (*rest) {
        size_t len = strcspn(rest, ",");
        ENSURE(op, len > 0 && len < sizeof(host), KW_E_INPUT, "--domain: '%.40s' is no name", rest);
        (void)snprintf(host, sizeof(host), "%.*s", (int)len, rest);
        TRY(op, permit_host(op, host, texts, spec));
        rest += len + (rest[len] == ',');
    }
    return KW_OK;
}

static kw_status constrain(struct kw_op *op, const struct ceremony_place *place,
                           struct texts *texts, struct cert_spec *spec)
{
    const struct authority *authority = place->authority;

    for (uint32_t i = 0; i < authority->n_purposes; i++) {
        spec->eku[i] = authority->purposes[i];
    }
    if (authority_kind_of(authority) == AUTHORITY_ROOT ||
        authority_names_of(authority) != AUTHORITY_NAMES_HOSTS) {
        return KW_OK;
    }
    return permit_hosts(op, place, texts, spec);
}

static void put_urls(const struct ceremony_place *place, struct texts *texts,
                     struct cert_spec *spec)
{
    const char *issuer = place->issuer ? place->issuer : place->authority->issuer;

    (void)snprintf(texts->crl, sizeof(texts->crl), "%.250s/crl/%.40s.crl", place->public_url,
                   issuer);
    (void)snprintf(texts->issuer, sizeof(texts->issuer), "%.250s/ca/%.40s.cer", place->public_url,
                   issuer);
    spec->crl_url = texts->crl;
    spec->ca_issuers_url = texts->issuer;
}

/* issuer NULL: self-signed by the key. */
static kw_status certify(struct kw_op *op, const struct ceremony_place *place,
                         const struct ceremony_root *issuer, const struct pubkey *key,
                         const struct privkey *signer, struct kw_bytes **ret)
{
    const struct authority *authority = place->authority;
    const struct subject_facts facts = {.organization = place->organization};
    uint8_t room[KW_DN_MAX], serial[KW_SERIAL_BYTES];
    struct kw_out name = KW_OUT_ARRAY(room);
    struct texts texts = {0};
    int64_t now_s = os_clock_unix_s();

    TRY(op, subject_fill(op, authority->subject_dn, authority->n_subject_dn, &facts, &name));
    TRY(op, fresh_serial(op, serial));
    struct cert_spec spec = {
        .issuer_dn = issuer ? cert_subject(issuer->cert) : kw_out_span(&name),
        .subject_dn = kw_out_span(&name),
        .serial = KW_SPAN_ARRAY(serial),
        .not_before = now_s - BACKDATE_S,
        .not_after = authority_not_after(authority, now_s),
        .key = key,
        .issuer_key = issuer ? cert_public(issuer->cert) : NULL,
        .is_ca = true,
        .path_len = authority_path_len(authority),
        .key_usage = CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN,
    };
    TRY(op, constrain(op, place, &texts, &spec));
    if (issuer) {
        put_urls(place, &texts, &spec);
    }
    return cert_build(op, &spec, signer, ret);
}

kw_status ceremony_sign_ca(struct kw_op *op, const struct ceremony_root *issuer,
                           const struct ceremony_place *place, const struct pubkey *key,
                           struct kw_bytes **ret)
{
    TRY(op, certify(op, place, issuer, key, issuer->key, ret), "certificate of CA '%s'",
        place->authority->name);
    return KW_OK;
}

/* --- sealing under shares
 * ----------------------------------------------------------------------------------------- */

static kw_status put_file(struct kw_op *op, const char *dir, const char *name, mode_t mode,
                          struct kw_span content)
{
    char path[KW_PATH_BYTES];

    TRY(op, os_path_join(op, path, sizeof(path), dir, name));
    return os_file_write(op, path, mode, content);
}

static kw_status put_share(struct kw_op *op, const char *dir, unsigned i,
                           const struct kw_secret *share)
{
    char name[32];

    AUTO(kw_secret) *page = NULL;

    (void)snprintf(name, sizeof(name), "share-%u.txt", i + 1);
    TRY(op, share_page(op, share, "Keywright root key", &page));
    return put_file(op, dir, name, 0600, kw_secret_span(page));
}

static kw_status seal_key(struct kw_op *op, const char *dir, const struct privkey *key,
                          const struct kw_secret *kek)
{
    AUTO(kw_secret) *pkcs8 = NULL;
    AUTO(kw_bytes) *sealed = NULL;

    TRY(op, privkey_to_pkcs8(op, key, &pkcs8));
    TRY(op, aead_seal(op, kek, kw_span_text(SEAL_LABEL), kw_secret_span(pkcs8), &sealed));
    return put_file(op, dir, "root.key.sealed", 0600, kw_bytes_span(sealed));
}

/* What custodians will do in years: read m shares back from their files and open the key with them.
 */
static kw_status join_files(struct kw_op *op, const char *dir, unsigned m,
                            struct kw_secret *shares[KW_SHARES_MAX], struct kw_secret **ret_kek)
{
    char path[KW_PATH_BYTES], name[32];

    for (unsigned i = 0; i < m; i++) {
        (void)snprintf(name, sizeof(name), "share-%u.txt", i + 1);
        TRY(op, os_path_join(op, path, sizeof(path), dir, name));
        TRY(op, os_file_read_secret(op, path, SHARE_FILE_MAX, &shares[i]));
    }
    return share_join(op, (const struct kw_secret *const *)shares, m, ret_kek);
}

static kw_status open_sealed(struct kw_op *op, const char *dir, const struct kw_secret *kek,
                             struct privkey **ret)
{
    char path[KW_PATH_BYTES];
    AUTO(kw_bytes) *sealed = NULL;
    AUTO(kw_secret) *pkcs8 = NULL;

    TRY(op, os_path_join(op, path, sizeof(path), dir, "root.key.sealed"));
    TRY(op, os_file_read(op, path, SEALED_MAX, &sealed));
    TRY(op, aead_open(op, kek, kw_span_text(SEAL_LABEL), kw_bytes_span(sealed), &pkcs8));
    return privkey_from_pkcs8(op, pkcs8, ret);
}

static void free_shares(struct kw_secret *(*shares)[KW_SHARES_MAX])
{
    for (unsigned i = 0; i < KW_SHARES_MAX; i++) {
        kw_secret_free((*shares)[i]);
    }
}
#define AUTO_SHARES __attribute__((cleanup(free_shares)))

static kw_status rehearse(struct kw_op *op, const char *dir, unsigned m, const struct privkey *key)
{
    AUTO_SHARES struct kw_secret *shares[KW_SHARES_MAX] = {0};
    AUTO(kw_secret) *kek = NULL;
    AUTO(privkey) *opened = NULL;

    TRY(op, join_files(op, dir, m, shares, &kek), "reading the shares back");
    TRY(op, open_sealed(op, dir, kek, &opened), "opening the root key with its shares");
    ENSURE(op, pubkey_equal(privkey_public(opened), privkey_public(key)), KW_E_INTEGRITY,
           "the shares open another key");
    return KW_OK;
}

static kw_status seal_root(struct kw_op *op, const char *dir, const struct privkey *key, unsigned m,
                           unsigned n)
{
    AUTO_SHARES struct kw_secret *shares[KW_SHARES_MAX] = {0};
    AUTO(kw_secret) *kek = NULL;

    TRY(op, kw_secret_new(AEAD_KEY_BYTES, &kek));
    TRY(op, os_random(op, kw_secret_data(kek), AEAD_KEY_BYTES));
    TRY(op, seal_key(op, dir, key, kek));
    TRY(op, share_split(op, kek, m, n, shares));
    for (unsigned i = 0; i < n; i++) {
        TRY(op, put_share(op, dir, i, shares[i]));
    }
    return rehearse(op, dir, m, key);
}

static kw_status put_cert(struct kw_op *op, const char *dir, const struct cert *cert)
{
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, kw_bytes_new(2048, &pem));
    TRY(op, kw_pem_encode("CERTIFICATE", cert_der(cert), pem));
    return put_file(op, dir, "root.pem", 0644, kw_bytes_span(pem));
}

kw_status ceremony_make_offline(struct kw_op *op, const char *dir,
                                const struct ceremony_place *place,
                                const struct ceremony_root *issuer,
                                const struct ceremony_shares *shares, struct ceremony_root *ret)
{
    const struct authority *authority = place->authority;
    AUTO(kw_bytes) *der = NULL;

    TRY(op, os_dir_make(op, dir, 0700));
    TRY(op, privkey_generate(op, key_alg_from_text(authority->key_alg), &ret->key), "key of '%s'",
        authority->name);
    TRY(op,
        certify(op, place, issuer, privkey_public(ret->key), issuer ? issuer->key : ret->key, &der),
        "certificate of '%s'", authority->name);
    TRY(op, cert_parse(op, kw_bytes_span(der), &ret->cert));
    TRY(op, seal_root(op, dir, ret->key, shares->m, shares->n),
        "sealing the key of '%s' under %u of %u shares", authority->name, shares->m, shares->n);
    return put_cert(op, dir, ret->cert);
}

static void discard(const char *dir, const char *name)
{
    char path[KW_PATH_BYTES];
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    if (kw_ok(os_path_join(&op, path, sizeof(path), dir, name))) {
        (void)kw_ok(os_file_shred(&op, path)); /* the failure before this one is what is told */
    }
}

void ceremony_discard(const char *dir)
{
    char name[32];

    for (unsigned i = 0; i < KW_SHARES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "share-%u.txt", i + 1);
        discard(dir, name);
    }
    discard(dir, "root.key.sealed");
    discard(dir, "root.pem");
    (void)rmdir(dir); /* only where nothing else is in it */
}

/* Every share that is there; share_join() says whether they are enough. */
static kw_status join_all(struct kw_op *op, const char *dir, struct kw_secret **ret_kek)
{
    AUTO_SHARES struct kw_secret *shares[KW_SHARES_MAX] = {0};
    char path[KW_PATH_BYTES], name[32];
    unsigned n = 0;

    for (unsigned i = 0; i < KW_SHARES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "share-%u.txt", i + 1);
        TRY(op, os_path_join(op, path, sizeof(path), dir, name));
        if (os_file_exists(path)) {
            TRY(op, os_file_read_secret(op, path, SHARE_FILE_MAX, &shares[n]));
            n++;
        }
    }
    ENSURE(op, n > 0, KW_E_NOT_FOUND, "no share-N.txt in %s", dir);
    return share_join(op, (const struct kw_secret *const *)shares, n, ret_kek);
}

kw_status ceremony_open_root(struct kw_op *op, const char *dir, struct ceremony_root *ret)
{
    char path[KW_PATH_BYTES];
    unsigned n = 0;
    AUTO(kw_secret) *kek = NULL;
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, os_path_join(op, path, sizeof(path), dir, "root.pem"));
    TRY(op, os_file_read(op, path, SEALED_MAX, &pem));
    TRY(op, cert_parse_pem(op, kw_bytes_span(pem), &ret->cert, 1, &n), "%s", path);
    TRY(op, join_all(op, dir, &kek), "putting the shares together");
    TRY(op, open_sealed(op, dir, kek, &ret->key), "opening the root key");
    ENSURE(op, pubkey_equal(privkey_public(ret->key), cert_public(ret->cert)), KW_E_INTEGRITY,
           "the key is not that of %s", path);
    return KW_OK;
}

kw_status ceremony_sign_next(struct kw_op *op, const struct ceremony_root *root,
                             const struct cert *before, const struct pubkey *key,
                             struct kw_bytes **ret)
{
    uint8_t serial[KW_SERIAL_BYTES];
    int64_t now_s = os_clock_unix_s(), end_s = cert_not_after(before);

    TRY(op, fresh_serial(op, serial));
    struct cert_again again = {
        .key = key,
        .serial = KW_SPAN_ARRAY(serial),
        .not_before = now_s - BACKDATE_S,
        .not_after =
            end_s == KW_TIME_NEVER ? KW_TIME_NEVER : now_s + end_s - cert_not_before(before),
    };
    return cert_reissue(op, before, &again, root->key, ret);
}

kw_status ceremony_sign_again(struct kw_op *op, const struct ceremony_root *root,
                              const struct cert *before, const char *crl_url, const char *ca_url,
                              struct kw_bytes **ret)
{
    uint8_t serial[KW_SERIAL_BYTES];

    TRY(op, fresh_serial(op, serial));
    const struct cert_again again = {
        .key = cert_public(before),
        .serial = KW_SPAN_ARRAY(serial),
        .not_before = os_clock_unix_s() - BACKDATE_S,
        .not_after = cert_not_after(before),
        .issuer = root->cert,
        .crl_url = crl_url,
        .ca_issuers_url = ca_url,
    };
    return cert_reissue(op, before, &again, root->key, ret);
}

kw_status ceremony_sign_link(struct kw_op *op, const struct ceremony_root *signer,
                             const struct ceremony_root *subject, struct kw_bytes **ret)
{
    int64_t one = cert_not_after(signer->cert), other = cert_not_after(subject->cert);
    uint8_t serial[KW_SERIAL_BYTES];

    TRY(op, fresh_serial(op, serial));
    const struct cert_spec spec = {
        .issuer_dn = cert_subject(signer->cert),
        .subject_dn = cert_subject(subject->cert),
        .serial = KW_SPAN_ARRAY(serial),
        .not_before = os_clock_unix_s() - BACKDATE_S,
        .not_after = one < other ? one : other,
        .key = cert_public(subject->cert),
        .issuer_key = cert_public(signer->cert),
        .is_ca = true,
        .path_len = -1,
        .key_usage = CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN,
    };
    return cert_build(op, &spec, signer->key, ret);
}

struct entries {
    const struct crl_entry *at;
    size_t n, next;
};

static kw_status next_entry(struct kw_op *op, void *ctx, struct crl_entry *ret, bool *ret_more)
{
    struct entries *entries = ctx;

    (void)op;
    *ret_more = entries->next < entries->n;
    if (*ret_more) {
        *ret = entries->at[entries->next++];
    }
    return KW_OK;
}

kw_status ceremony_sign_crl(struct kw_op *op, const struct ceremony_root *root, uint64_t number,
                            const struct crl_entry at[], size_t n, struct kw_bytes **ret)
{
    struct entries entries = {.at = at, .n = n};
    int64_t now_s = os_clock_unix_s();
    struct crl_spec spec = {
        .issuer_dn = cert_subject(root->cert),
        .issuer_key = cert_public(root->cert),
        .number = number,
        .this_update = now_s,
        .next_update = now_s + YEAR_S,
        .next = next_entry,
        .ctx = &entries,
    };

    return crl_build(op, &spec, root->key, ret);
}
