#include "service/validation/shard.h"

#include <stdio.h>

#include "base/time.h"

/* The last octets spread certificates evenly: random ones where we issue, a count elsewhere. */
static unsigned spread(struct kw_span serial, unsigned n)
{
    uint32_t tail = 0;

    for (size_t i = serial.len > 4 ? serial.len - 4 : 0; i < serial.len; i++) {
        tail = tail << 8 | serial.p[i];
    }
    return tail % n;
}

unsigned crl_shard_for(const struct service *service, const struct ca *ca, struct kw_span serial,
                       int64_t not_after)
{
    unsigned n = service->config.crl_shards;

    (void)ca; /* one number for all CAs; a row keeps what it was given */
    if (not_after == KW_TIME_NEVER) {
        return SHARD_LIFE;
    }
    return n == 0 ? SHARD_WHOLE : 1 + spread(serial, n);
}

void shard_name(const char *ca, unsigned shard, char ret[SHARD_NAME_MAX])
{
    char part[16] = "";

    if (shard == SHARD_LIFE) {
        (void)snprintf(part, sizeof(part), ".life");
    } else if (shard != SHARD_WHOLE) {
        (void)snprintf(part, sizeof(part), ".s%u", shard);
    }
    (void)snprintf(ret, SHARD_NAME_MAX, "%.95s%s", ca, part);
}

void shard_url(const struct service *service, const char *ca, unsigned shard,
               char ret[SHARD_URL_MAX])
{
    char name[SHARD_NAME_MAX];

    shard_name(ca, shard, name);
    (void)snprintf(ret, SHARD_URL_MAX, "%.255s/crl/%s.crl", service->config.public_url, name);
}
