/* General names (RFC 5280 section 4.2.1.6) as texts and from texts. For crypto/ only. */
#ifndef CRYPTO_SAN_H
#define CRYPTO_SAN_H

#include "crypto/der.h"

KW_OWNED(GENERAL_NAMES, GENERAL_NAMES, GENERAL_NAMES_free)
KW_OWNED(GENERAL_NAME, GENERAL_NAME, GENERAL_NAME_free)

enum { TEXT_LIST_MAX = 64 }; /* names or purposes in one certificate; more is an attack on us */

/* A few texts in one allocation. Zero-initialise; text_list_done() frees. */
struct text_list {
    struct kw_bytes *arena; /* NUL-terminated texts */
    size_t at[TEXT_LIST_MAX];
    unsigned n;
};
kw_status text_list_add(struct kw_op *op, struct text_list *list, const char *prefix,
                        struct kw_span text);
const char *text_list_get(const struct text_list *list, unsigned i); /* NULL beyond the end */
void text_list_done(struct text_list *list);

/**
 * One text a name: "dns:…", "ip:…", "uri:…", "email:…", "hw:<oid>:<hex>" (RFC 4108), "dn:<hex of
 * the Name>", "rid:<oid>", "other:<oid>:<hex of the value>". KW_E_INPUT also for characters that
 * could not stand in a log line.
 */
kw_status san_texts(struct kw_op *op, const GENERAL_NAMES *names, struct text_list *list);

/* Append one name. KW_E_INPUT for what is not such a name. */
kw_status san_add_dns(struct kw_op *op, GENERAL_NAMES *names, const char *dns);
kw_status san_add_ip(struct kw_op *op, GENERAL_NAMES *names, const char *ip);
kw_status san_add_uri(struct kw_op *op, GENERAL_NAMES *names, const char *uri);
kw_status san_add_hw(struct kw_op *op, GENERAL_NAMES *names, const char *type,
                     struct kw_span serial);
/* The name alone, for URLs and name constraints. */
kw_status san_new_text(struct kw_op *op, int type, const char *text, GENERAL_NAME **ret);
kw_status san_new_ip(struct kw_op *op, struct kw_span octets, GENERAL_NAME **ret);

/* Letters, digits, hyphens in labels; `*.` may lead, `.` may lead where `constraint`. */
bool san_is_dns(const char *text, bool constraint);
/* A scheme, then printable ASCII without spaces. */
bool san_is_uri(const char *text);

#endif
