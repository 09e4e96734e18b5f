/* The maker of CRLs among its own files. */
#ifndef SERVICE_VALIDATION_CRL_MAKER_INTERNAL_H
#define SERVICE_VALIDATION_CRL_MAKER_INTERNAL_H

#include <pthread.h>

#include "service/validation/crl_journal.h"
#include "service/validation/crl_lists.h"
#include "service/validation/crl_maker.h"
#include "service/validation/crl_saver.h"

struct crl_maker {
    struct service *service;
    struct crl_lists *lists;
    struct crl_journal *journal;
    struct crl_saver *saver;
    atomic_bool started;  /* the first lists are made */
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work;
    bool touched;
    bool stop, running;
    pthread_t thread;
};

#endif
