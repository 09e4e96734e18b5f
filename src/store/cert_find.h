/* Certificates by what is known of them, among the store's own files. */
#ifndef STORE_CERT_FIND_H
#define STORE_CERT_FIND_H

#include "store/query.h"
#include "store/store.h"

/* A way to certificates: the most selective one that a filter has. Its statement stands beside it
 * in a table; the tests look at each one's plan. */
enum cert_path {
    PATH_ALL = 0,
    PATH_SERIAL,
    PATH_KEY,
    PATH_OWNER,
    PATH_BATCH,
    PATH_PRODUCT,
    PATH_SUBJECT,
    PATH_SUBJECT_PART,
    PATH_ENDS,
    PATH_STATE,
    PATH_PROFILE,
    PATH_MAX
};
const char *cert_path_sql(enum cert_path path);
enum cert_path cert_path_of(const struct store_cert_filter *filter);

#endif
