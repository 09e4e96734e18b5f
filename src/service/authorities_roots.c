/*
 * The root's keys. When the root rolls over there are two of them, each with a name of its own
 * ("root", "root.2"): relying parties and their libraries find certificates by name. Link
 * certificates lead from either to the other (RFC 4210 section 4.4). A root that is retired is
 * handed out no more, but the link to its successor still is: for who slept all the while.
 */
#include <stdio.h>

#include "crypto/dn.h"
#include "os/clock.h"
#include "service/authorities_internal.h"

static const char ROOT[] = "root";

void authorities_root_id(unsigned generation, char id[KW_NAME_MAX])
{
    (void)snprintf(id, KW_NAME_MAX, generation > 1 ? "%s.%u" : "%s", ROOT, generation);
}

void authorities_link_name(const char *signer, const char *subject, char name[KW_NAME_MAX])
{
    (void)snprintf(name, KW_NAME_MAX, "cross-%.40s-by-%.40s", subject, signer);
}

void authorities_retired_name(const char *id, char name[KW_NAME_MAX])
{
    (void)snprintf(name, KW_NAME_MAX, "retired-%.40s", id);
}

/* *ret stays NULL where there is no such file. */
static kw_status load_if_there(struct kw_op *op, struct service *service, const char *name,
                               struct cert **ret)
{
    kw_status status = service_cert_load(op, service, name, ret);

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    return status;
}

static kw_status add_root(struct kw_op *op, struct service *service, struct authorities *all,
                          unsigned generation)
{
    struct root *root = &all->roots[all->n_roots];
    char name[KW_NAME_MAX];
    AUTO(cert) *mark = NULL;

    authorities_root_id(generation, root->id);
    TRY(op, load_if_there(op, service, root->id, &root->cert));
    if (!root->cert) {
        return KW_OK;
    }
    authorities_retired_name(root->id, name);
    TRY(op, load_if_there(op, service, name, &mark));
    root->retired = mark != NULL;
    root->generation = generation;
    dn_text(cert_subject(root->cert), root->subject, sizeof(root->subject));
    all->n_roots++;
    return KW_OK;
}

static kw_status add_link(struct kw_op *op, struct service *service, struct authorities *all,
                          const struct root *signer, const struct root *subject)
{
    struct cross *link = &all->links[all->n_links];

    authorities_link_name(signer->id, subject->id, link->name);
    TRY(op, load_if_there(op, service, link->name, &link->cert));
    all->n_links += link->cert != NULL;
    return KW_OK;
}

kw_status authorities_load_roots(struct kw_op *op, struct service *service, struct authorities *all)
{
    for (unsigned i = 1; i <= AUTHORITIES_ROOTS_MAX; i++) {
        TRY(op, add_root(op, service, all, i));
    }
    ENSURE(op, all->n_roots > 0 && all->roots[0].generation == 1, KW_E_NOT_FOUND,
           "certificate 'root'");
    for (unsigned i = all->n_roots; i-- > 1;) {
        TRY(op, add_link(op, service, all, &all->roots[i - 1], &all->roots[i]));
    }
    for (unsigned i = all->n_roots; i-- > 1;) {
        if (!all->roots[i - 1].retired) {
            TRY(op, add_link(op, service, all, &all->roots[i], &all->roots[i - 1]));
        }
    }
    const struct root *newest = authorities_newest_root(all);
    all->root = newest->cert;
    return KW_OK;
}

void authorities_free_roots(struct authorities *all)
{
    for (unsigned i = 0; i < all->n_roots; i++) {
        cert_unref(all->roots[i].cert);
    }
    for (unsigned i = 0; i < all->n_links; i++) {
        cert_unref(all->links[i].cert);
    }
}

const struct root *authorities_newest_root(const struct authorities *all)
{
    return &all->roots[all->n_roots - 1];
}

const struct root *authorities_root_find(const struct authorities *all, const char *id)
{
    for (unsigned i = 0; i < all->n_roots; i++) {
        if (strcmp(all->roots[i].id, id) == 0) {
            return &all->roots[i];
        }
    }
    return NULL;
}

const struct cert *authorities_issuer_now(const struct authorities *all, const char *name)
{
    return strcmp(name, ROOT) == 0 ? all->root : authorities_above(all, name);
}

unsigned authorities_trusted(const struct authorities *all, struct cert *ret[AUTHORITIES_ROOTS_MAX])
{
    unsigned n = 0;

    for (unsigned i = all->n_roots; i-- > 0;) {
        if (!all->roots[i].retired) {
            ret[n++] = all->roots[i].cert;
        }
    }
    return n;
}

static const struct root *root_of(const struct authorities *all, const struct cert *cert)
{
    for (unsigned i = 0; i < all->n_roots; i++) {
        if (kw_span_equal(cert_subject(all->roots[i].cert), cert_issuer(cert))) {
            return &all->roots[i];
        }
    }
    return NULL;
}

static struct cert *link_of(const struct authorities *all, const struct root *signer,
                            const struct root *subject)
{
    char name[KW_NAME_MAX];

    authorities_link_name(signer->id, subject->id, name);
    for (unsigned i = 0; i < all->n_links; i++) {
        if (strcmp(all->links[i].name, name) == 0) {
            return all->links[i].cert;
        }
    }
    return NULL;
}

/* An offline authority besides "root" that issued it: a root of a trade, or a CA below one. */
static struct cert *above_of(const struct authorities *all, const struct cert *cert, bool is_root)
{
    for (unsigned i = 0; i < all->n_above; i++) {
        struct cert *one = all->above[i].cert;
        bool self_issued = kw_span_equal(cert_subject(one), cert_issuer(one));
        if (self_issued == is_root && kw_span_equal(cert_subject(one), cert_issuer(cert))) {
            return one;
        }
    }
    return NULL;
}

unsigned authorities_climb(const struct authorities *all, const struct ca *ca,
                           struct cert *ret[1 + AUTHORITIES_BETWEEN_MAX])
{
    unsigned n = 1;

    ret[0] = ca->cert;
    while (n <= AUTHORITIES_BETWEEN_MAX) {
        struct cert *above = above_of(all, ret[n - 1], /* is_root= */ false);
        if (!above) {
            break;
        }
        ret[n++] = above;
    }
    return n;
}

unsigned authorities_path(const struct authorities *all, const struct ca *ca,
                          struct cert *ret[AUTHORITIES_PATH_MAX])
{
    unsigned n = authorities_climb(all, ca, ret);
    const struct root *root = root_of(all, ret[n - 1]);

    while (root && root > all->roots) {
        struct cert *link = link_of(all, root - 1, root);
        if (!link) {
            break;
        }
        ret[n++] = link;
        root--;
    }
    return n;
}

const struct cert *authorities_root_of(const struct authorities *all, const struct ca *ca)
{
    struct cert *path[1 + AUTHORITIES_BETWEEN_MAX];
    unsigned n = authorities_climb(all, ca, path);

    return root_of(all, path[n - 1]) ? all->root : above_of(all, path[n - 1], /* is_root= */ true);
}
