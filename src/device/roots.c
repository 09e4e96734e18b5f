/*
 * Which roots are trusted: the one in use, a new one that it vouched for, and a spare one that was
 * given at birth for the day when both are lost (break-glass). A new root comes with the CA
 * certificates, together with a link certificate: the new root's name and key, signed by the one in
 * use. The old one is dropped when the new one carried a call of ours and the server hands the old
 * one out no more; never before.
 */
#include "base/pem.h"
#include "device/device.h"
#include "os/files.h"

enum { ROOT_FILE_MAX = 16384 };

static const char NEXT[] = "root-next.pem", USED[] = "root-next.used", SPARE[] = "root-spare.pem";

/* --- the set -----------------------------------------------------------------------------------
 */

void roots_list(struct device *device)
{
    struct cert *const all[] = {device->root, device->next_root, device->spare_root};

    device->n_roots = 0;
    for (unsigned i = 0; i < KW_COUNT(all); i++) {
        if (all[i]) {
            device->roots[device->n_roots++] = all[i];
        }
    }
}

void roots_done(struct device *device)
{
    cert_unref(device->root);
    cert_unref(device->next_root);
    cert_unref(device->spare_root);
    device->root = device->next_root = device->spare_root = NULL;
    device->n_roots = 0;
}

/* What is absent or damaged is not there: it is learned again, and the one in use does without. */
static void read_file(const struct device *device, const char *name, struct cert **ret)
{
    AUTO(kw_bytes) *pem = NULL;
    struct kw_op quiet;
    unsigned n = 0;

    kw_op_init(&quiet, NULL, 0);
    if (kw_ok(state_read(&quiet, device, name, ROOT_FILE_MAX, &pem))) {
        (void)kw_ok(cert_parse_pem(&quiet, kw_bytes_span(pem), ret, 1, &n));
    }
}

static bool is_same(const struct cert *a, const struct cert *b)
{
    return a && b && kw_span_equal(cert_der(a), cert_der(b));
}

void roots_load(struct device *device)
{
    read_file(device, NEXT, &device->next_root);
    read_file(device, SPARE, &device->spare_root);
    if (is_same(device->next_root, device->root)) { /* it was cut at the last step of a change */
        cert_unref(TAKE(device->next_root));
    }
    roots_list(device);
}

kw_status roots_keep_spare(struct kw_op *op, struct device *device, struct cert *spare)
{
    ENSURE(op, cert_is_ca(spare), KW_E_INPUT, "the spare root is not a CA's certificate");
    TRY(op, state_write_certs(op, device, SPARE, &spare, 1), "keeping the spare root");
    return KW_OK;
}

bool roots_was_pinned(const struct device *device, const struct cert *root)
{
    AUTO(cert) *old = NULL;

    read_file(device, "root-old.pem", &old);
    return is_same(old, root);
}

/* --- a new one ---------------------------------------------------------------------------------
 */

static bool is_self_signed(const struct cert *cert)
{
    struct kw_op quiet;

    kw_op_init(&quiet, NULL, 0);
    return cert_is_ca(cert) && kw_span_equal(cert_subject(cert), cert_issuer(cert)) &&
           kw_ok(cert_verify_signature(&quiet, cert, cert_public(cert)));
}

static bool is_known(const struct device *device, const struct cert *root)
{
    for (unsigned i = 0; i < device->n_roots; i++) {
        if (is_same(device->roots[i], root)) {
            return true;
        }
    }
    return false;
}

/* Only a certificate that says as much as a root may link one: a CA below the root, which has a
 * path length, could else name itself. */
static bool is_link(const struct cert *cert)
{
    return cert_is_ca(cert) && cert_path_len(cert) < 0 &&
           !(cert_ext_present(cert) & CERT_EXT_NAME_CONSTRAINTS) && !is_self_signed(cert);
}

static unsigned list_links(struct cert *const certs[], unsigned n,
                           struct cert *ret[DEVICE_ISSUERS_MAX + 1])
{
    unsigned n_links = 0;

    for (unsigned i = 0; i < n && n_links <= DEVICE_ISSUERS_MAX; i++) {
        if (is_link(certs[i])) {
            ret[n_links++] = certs[i];
        }
    }
    return n_links;
}

/* Is this a link to it: the same name and key, under the root in use, or under a root that another
 * link leads to (it rolled over more than once)? Only the one in use vouches: neither the spare
 * root nor a new one that is not proven yet names a successor. */
static bool links(const struct device *device, const struct cert *link, const struct cert *root,
                  struct cert *const others[], unsigned n_others)
{
    struct kw_op quiet;

    kw_op_init(&quiet, NULL, 0);
    return kw_span_equal(cert_subject(link), cert_subject(root)) &&
           pubkey_equal(cert_public(link), cert_public(root)) &&
           kw_ok(cert_verify_path(&quiet, link, others, n_others, &device->root, 1, NULL,
                                  device_now_s(device)));
}

static struct cert *find_new(const struct device *device, struct cert *const certs[], unsigned n)
{
    struct cert *found[DEVICE_ISSUERS_MAX + 1];
    unsigned n_links = list_links(certs, n, found);

    for (unsigned i = 0; i < n; i++) {
        if (!is_self_signed(certs[i]) || is_known(device, certs[i])) {
            continue;
        }
        for (unsigned j = 0; j < n_links; j++) {
            if (links(device, found[j], certs[i], found, n_links)) {
                return certs[i];
            }
        }
    }
    return NULL;
}

static bool has_used(const struct device *device)
{
    char path[KW_PATH_BYTES];
    struct kw_op quiet;

    kw_op_init(&quiet, NULL, 0);
    return kw_ok(state_path(&quiet, device, USED, path, sizeof(path))) && os_file_exists(path);
}

/* A mark of an earlier one goes first: it would stand for this one. */
static kw_status take_new(struct kw_op *op, struct device *device, struct cert *root)
{
    TRY(op, state_remove(op, device, USED));
    TRY(op, state_write_certs(op, device, NEXT, &root, 1), "keeping the new root");
    cert_unref(device->next_root);
    device->next_root = cert_ref(root);
    device->next_used = false;
    roots_list(device);
    return KW_OK;
}

/* --- the old one goes --------------------------------------------------------------------------
 */

static bool is_handed_out(const struct device *device, struct cert *const certs[], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (is_same(certs[i], device->root)) {
            return true;
        }
    }
    return false;
}

/* Whatever is cut here: root.pem is one of the two, whole. */
static kw_status replace(struct kw_op *op, struct device *device)
{
    TRY(op, state_write_certs(op, device, "root-old.pem", &device->root, 1));
    TRY(op, state_write_certs(op, device, "root.pem", &device->next_root, 1), "pinning the root");
    cert_unref(device->root);
    device->root = TAKE(device->next_root);
    roots_list(device);
    TRY(op, state_remove(op, device, NEXT));
    return state_remove(op, device, USED);
}

kw_status roots_learn(struct kw_op *op, struct device *device, struct cert *const certs[],
                      unsigned n)
{
    struct cert *found = find_new(device, certs, n);

    if (found) {
        return take_new(op, device, found);
    }
    bool over = device->next_root && has_used(device) && !is_handed_out(device, certs, n);
    return over ? replace(op, device) : KW_OK;
}

/* --- use ---------------------------------------------------------------------------------------
 */

void roots_judge(struct device *device, const struct cert *leaf, const struct cert *issuer)
{
    struct cert *path[DEVICE_ISSUERS_MAX + 1];
    struct kw_op quiet;
    unsigned n = 0;

    if (!device->next_root) {
        return;
    }
    path[n++] = (struct cert *)(uintptr_t)issuer;
    for (unsigned i = 0; i < device->n_issuers; i++) {
        path[n++] = device->issuers[i];
    }
    kw_op_init(&quiet, NULL, 0);
    device->next_used = kw_ok(
        cert_verify_path(&quiet, leaf, path, n, &device->next_root, 1, NULL, device_now_s(device)));
}

void roots_note_use(struct device *device)
{
    struct kw_op own; /* a mark that cannot be made now is made at the next call */

    kw_op_init(&own, NULL, 0);
    if (device->next_root && device->next_used && !has_used(device)) {
        (void)kw_ok(state_write(&own, device, USED, kw_span_text("used\n")));
    }
}
