/*
 * Which list a certificate is on: fixed when it is issued, in its distribution point and in its
 * row. The whole list of a CA's key names every certificate; beside it there is one for
 * certificates without end (whose entries never fall off a list, IEEE 802.1AR), and as many parts
 * as the configuration says.
 */
#ifndef SERVICE_VALIDATION_SHARD_H
#define SERVICE_VALIDATION_SHARD_H

#include "service/service.h"

struct ca;

enum {
    SHARD_WHOLE = 0,    /* on no part, the whole list alone */
    SHARD_MAX = 1024,   /* parts are numbered from 1 */
    SHARD_LIFE = 65535, /* certificates that never end */
    SHARD_NAME_MAX = KW_NAME_MAX + 16,
    SHARD_URL_MAX = 256 + SHARD_NAME_MAX + 16,
};

/* The part for a certificate that is being issued. */
unsigned crl_shard_for(const struct service *service, const struct ca *ca, struct kw_span serial,
                       int64_t not_after);
/* "devices", "devices.s3", "devices.life": what its list is called. */
void shard_name(const char *ca, unsigned shard, char ret[SHARD_NAME_MAX]);
/* "http://host:8080/crl/devices.s3.crl" */
void shard_url(const struct service *service, const char *ca, unsigned shard,
               char ret[SHARD_URL_MAX]);

#endif
