/* One enrolment on its way through the registration authority. For registration/enrol*.c only. */
#ifndef SERVICE_REGISTRATION_ENROL_INTERNAL_H
#define SERVICE_REGISTRATION_ENROL_INTERNAL_H

#include "service/registration/enrol.h"

/* All that it gathers. */
struct enrolment {
    struct service *service;
    const struct enrol_asker *asker;
    const struct enrol_request *request;
    const struct bound_profile *profile;
    struct store_device device;
    char owner[KW_NAME_MAX];
    const struct store_cert *old; /* renewal only */
    int64_t now_ms;
    const struct enrol_decrypter *decrypter; /* a key is to be made: for whom; else NULL */
    struct kw_bytes **ret_sealed;            /* then: where its private half goes, encrypted */
};

/* Who will decrypt the key that is made. */
struct enrol_decrypter {
    const struct pubkey *key;
    struct kw_span id;
};

/* A station asks, in the name of a device. */
static inline bool enrol_is_vouched(const struct enrolment *it)
{
    return it->asker->via && *it->asker->via;
}

/* The device that is to be enrolled: the asker, or whom the station's request names. */
kw_status enrol_find_device(struct kw_op *op, struct enrolment *it);
/* May the station give this device what was asked for? Before the signature, and again in the
 * transaction. */
kw_status enrol_check_birth(struct kw_op *op, const struct enrolment *it,
                            const struct store_device *device);
/* In the transaction: the station's grant may have ended meanwhile. */
kw_status enrol_admit_station(struct kw_op *op, struct store_txn *txn, const struct enrolment *it);
/* By the label ("" = what the proof leads to), the proof and the protocol. */
kw_status enrol_choose_profile(struct kw_op *op, struct enrolment *it, const char *name);
struct enrol_request enrol_request_of(const struct csr *csr);
/* Whom csr's attributes name. KW_E_INPUT. */
kw_status enrol_find_decrypter(struct kw_op *op, const struct csr *csr, const struct cert *peer,
                               struct enrol_decrypter *ret);
/* Are keys of this profile made here? */
kw_status enrol_check_made(struct kw_op *op, const struct enrolment *it);
/* Have the keeper make a key for the enrolment. ret: its public half. */
kw_status enrol_make_key(struct kw_op *op, const struct enrolment *it, struct pubkey **ret);
/* Does the profile take the asker's protocol? */
kw_status enrol_check_protocol(struct kw_op *op, const struct enrolment *it);
/* Is the request of the connection that it came over (RFC 7030 section 3.5)? */
kw_status enrol_check_binding(struct kw_op *op, const struct enrolment *it);

#endif
