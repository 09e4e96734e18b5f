/* One rig for all tests of a file. */
#ifndef TESTS_NET_RIG_GROUP_H
#define TESTS_NET_RIG_GROUP_H

#include "kit.h"

static struct rig *rig;

static int start(void **state)
{
    (void)state;
    rig = rig_start(NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_stop(rig);
    return 0;
}

#endif
