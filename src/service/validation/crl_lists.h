/*
 * The lists of each key of each CA, by what they are about: the whole, the delta to it, the part of
 * certificates without end, and the shards. What is published, and when each is to be made anew.
 */
#ifndef SERVICE_VALIDATION_CRL_LISTS_H
#define SERVICE_VALIDATION_CRL_LISTS_H

#include "service/validation/crl_doc.h"
#include "service/validation/shard.h"

struct crl_list_id {
    unsigned ca; /* index in the set of authorities */
    unsigned shard;
    bool delta; /* of the whole list */
};

/* A complete list that deltas can be to. */
struct crl_base {
    uint64_t number, mark; /* 0 = none; of the journal */
};

struct crl_lists;
kw_status crl_lists_new(struct kw_op *op, struct crl_lists **ret);
void crl_lists_free(struct crl_lists *lists);

/* "devices.2.s7": what its file is called. */
void crl_list_name(const char *ca, const struct crl_list_id *id, char ret[SHARD_NAME_MAX]);
/* The list whose file has this stem. KW_E_NOT_FOUND no CA or part of that name. */
kw_status crl_list_find(struct kw_op *op, const struct authorities *all, const char *stem,
                        struct crl_list_id *ret);

/* From now on there is such a list; made soon. No memory: it is not there, which shows. */
void crl_lists_add(struct crl_lists *lists, const struct crl_list_id *id);
/* Something of it changed at this moment of the steady clock; adds it where need be. */
void crl_lists_touch(struct crl_lists *lists, const struct crl_list_id *id, int64_t now_ms);

struct crl_pace {
    int64_t now_s, now_ms, life_s;
    unsigned gather_ms;
};
/* The next list that is due, taken: not due any more until it is touched. False: none is. */
bool crl_lists_take_due(struct crl_lists *lists, const struct crl_pace *pace,
                        struct crl_list_id *ret);
/* Milliseconds until one may be due, at most `most`. */
int64_t crl_lists_wait_ms(struct crl_lists *lists, const struct crl_pace *pace, int64_t most);
/* It is published (doc: a reference is taken), or could not be made (NULL): not again before
 * again_ms. */
void crl_lists_settle(struct crl_lists *lists, const struct crl_list_id *id, struct crl_doc *doc,
                      int64_t again_ms);
/* A reference; NULL where none was published. */
struct crl_doc *crl_lists_get(struct crl_lists *lists, const struct crl_list_id *id);
/* Is there such a list at all? */
bool crl_lists_has(struct crl_lists *lists, const struct crl_list_id *id);

/* The last two complete lists of a CA's key: the older one first. For the maker's thread. */
struct crl_base *crl_lists_bases(struct crl_lists *lists, unsigned ca);
/* The oldest mark that some delta may still be to; UINT64_MAX: none. */
uint64_t crl_lists_oldest_mark(struct crl_lists *lists);

#endif
