/* One agent of a simulated fleet: libkeywright itself, under a clock and a plan of its own. */
#ifndef TESTS_TOOLS_FLEET_H
#define TESTS_TOOLS_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include <keywright/keywright.h>

enum { AGENT_CERTS = 64, DAY_S = 86400 };

/* What its clock shows when it starts. */
enum life { RIGHT, CLOCKLESS, Y2038, Y2106, STEPPED, LIVES };

struct fleet {
    uint64_t seed; /* of all plans */
    const char *server, *trust, *folder;
    int64_t begin_s, end_s; /* world's time */
    int64_t hello_s;        /* between two heartbeats */
    int64_t up_since_s;     /* world's time since when the server is there; 0: it is not */
    int64_t down_since_s;   /* when it last went */
};

struct agent {
    const struct fleet *fleet;
    unsigned number;
    struct keywright *kw; /* NULL: not running */
    char id[64], secret[96], dir[200], rot[256];
    enum life life;
    bool goes_off;           /* while it is away: switched off; else only its line is down */
    int64_t away_s, back_s;  /* world's time; 0 = never */
    int64_t boot_s, clock_s; /* world's time of the machine's last start; what its clock showed */
    int64_t wake_s, hello_s; /* world's time at which it next looks, and says hello */
    unsigned epoch;          /* of its steps of the clock */
    unsigned tries;          /* numbers what chance decides */
    unsigned long cut;       /* at this operation the process dies; 0 = it does not */
    unsigned enrolments, renewals, hellos, boots, kills, failures;
    unsigned late, early, stranded; /* renewals behind the end, long before they were due; steps */
    int64_t lead_s, lag_s; /* worst: left of the old certificate at a renewal; behind what was due
                              while server and line were up */
    struct keywright_status status;
    unsigned n_certs;
    char certs[AGENT_CERTS][65]; /* each LDevID that it ever had, SHA-256 */
};

int64_t world_s(void);
/* Makes its plan from the fleet's seed and its number; id and secret are there. */
void agent_plan(struct agent *it);
/* Whatever it does until now: wake, work, sleep. */
void agent_step(struct agent *it);
/* It has a certificate in force and the server knows it. */
bool agent_answers(struct agent *it);
void agent_stop(struct agent *it);

#endif
