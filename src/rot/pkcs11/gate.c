#include "rot/pkcs11/gate.h"

#include <time.h>

/* Plain mutexes and conditions of ours: what is ignored below does not fail. */

bool p11_gate_init(struct p11_gate *gate)
{
    pthread_condattr_t attributes;

    bool ready = pthread_condattr_init(&attributes) == 0;
    ready = ready && pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0;
    ready = ready && pthread_cond_init(&gate->changed, &attributes) == 0;
    ready = ready && pthread_mutex_init(&gate->mutex, NULL) == 0;
    (void)pthread_condattr_destroy(&attributes); /* holds nothing on Linux */
    return ready;
}

static struct timespec in_ms(unsigned wait_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    return until;
}

bool p11_gate_enter(struct p11_gate *gate, unsigned wait_ms)
{
    const struct timespec until = in_ms(wait_ms);
    int error = 0;

    (void)pthread_mutex_lock(&gate->mutex);
    while ((gate->is_alone || gate->n_want_alone > 0) && error == 0) {
        error = pthread_cond_timedwait(&gate->changed, &gate->mutex, &until);
    }
    bool entered = !gate->is_alone && gate->n_want_alone == 0;
    gate->n_inside += entered ? 1 : 0;
    (void)pthread_mutex_unlock(&gate->mutex);
    return entered;
}

void p11_gate_leave(struct p11_gate *gate)
{
    (void)pthread_mutex_lock(&gate->mutex);
    gate->n_inside--;
    (void)pthread_cond_broadcast(&gate->changed);
    (void)pthread_mutex_unlock(&gate->mutex);
}

bool p11_gate_enter_alone(struct p11_gate *gate, unsigned wait_ms)
{
    const struct timespec until = in_ms(wait_ms);
    int error = 0;

    (void)pthread_mutex_lock(&gate->mutex);
    gate->n_want_alone++;
    while ((gate->is_alone || gate->n_inside > 0) && error == 0) {
        error = pthread_cond_timedwait(&gate->changed, &gate->mutex, &until);
    }
    gate->n_want_alone--;
    bool entered = !gate->is_alone && gate->n_inside == 0;
    gate->is_alone = gate->is_alone || entered;
    (void)pthread_cond_broadcast(&gate->changed); /* where it gave up, others may go on */
    (void)pthread_mutex_unlock(&gate->mutex);
    return entered;
}

void p11_gate_leave_alone(struct p11_gate *gate)
{
    (void)pthread_mutex_lock(&gate->mutex);
    gate->is_alone = false;
    (void)pthread_cond_broadcast(&gate->changed);
    (void)pthread_mutex_unlock(&gate->mutex);
}
