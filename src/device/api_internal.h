/*
 * How a public function is made: one file a noun of include/keywright (api_NOUN.c), with thin
 * adapters over device_*() and nothing else in it. One adapter:
 *
 *     enum keywright_result keywright_renew(struct keywright *kw, int force)
 *     {
 *         struct kw_op op;
 *
 *         return API_CALL(kw, op, device_renew(&op, &kw->device, force));
 *     }
 *
 * What is given back by pointer is written by the call on success only. Structs of the ABI are
 * filled in a static function of the same file.
 */
#ifndef DEVICE_API_INTERNAL_H
#define DEVICE_API_INTERNAL_H

#include <keywright/types.h>

#include "device/device.h"

enum { API_ERROR_MAX = 1024 };

struct keywright {
    struct device device;
    bool open; /* else it only has an error to tell */
    uint32_t timeout_ms;
    enum data_refusal refusal; /* of the last keywright_verify_data() */
    char error[API_ERROR_MAX];
};

/* The operation of one call begins: its deadline, and no error. */
void api_begin(struct keywright *kw, struct kw_op *op);
/* For an object whose opening failed. */
kw_status api_not_open(struct kw_op *op);
/* What the call came to, in the caller's terms; the reason stays in kw->error. */
enum keywright_result api_end(struct keywright *kw, struct kw_op *op, kw_status status);

/* Into the caller's room. KW_E_TOO_LARGE tells how much it takes. */
kw_status api_copy(struct kw_op *op, struct kw_span from, struct kw_out *to);

/* The same for a task that is due from time to time: its outcome is noted (keywright_due()). */
enum keywright_result api_end_task(struct keywright *kw, struct kw_op *op, enum device_task task,
                                   kw_status status);

#define API_TASK(kw, op, task, call)                                                               \
    (api_begin(kw, &(op)), api_end_task(kw, &(op), task, (kw)->open ? (call) : api_not_open(&(op))))
#define API_CALL(kw, op, call)                                                                     \
    (api_begin(kw, &(op)), api_end(kw, &(op), (kw)->open ? (call) : api_not_open(&(op))))

#endif
