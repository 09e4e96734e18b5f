/*
 * Many inside, or one alone, with a limit to the waiting. Who wants to be alone comes first: nobody
 * enters any more while he waits. (A pthread_rwlock_t lets readers starve writers.)
 */
#ifndef ROT_PKCS11_GATE_H
#define ROT_PKCS11_GATE_H

#include <pthread.h>
#include <stdbool.h>

struct p11_gate {
    pthread_mutex_t mutex; /* held for moments only */
    pthread_cond_t changed;
    unsigned n_inside;
    unsigned n_want_alone;
    bool is_alone;
};

bool p11_gate_init(struct p11_gate *gate);
/* False where wait_ms passed first. */
bool p11_gate_enter(struct p11_gate *gate, unsigned wait_ms);
void p11_gate_leave(struct p11_gate *gate);
/* The same for one alone. Never by who is inside. */
bool p11_gate_enter_alone(struct p11_gate *gate, unsigned wait_ms);
void p11_gate_leave_alone(struct p11_gate *gate);

#endif
