/*
 * Is it the time that the wall clock says? A clock that is wrong ends keys for good, or lets ended
 * ones live: what depends on time waits then, and nothing is written of it.
 */
#include "cmd/keywright-keeper/keyring.h"
#include "os/clock.h"

enum {
    AHEAD_S = 86400,    /* a day: a virtual machine that was stopped, a clock set by hand */
    OFF_S = 30 * 86400, /* a month: the machine was off */
    UNSETTLED_S = 900,  /* so long after its start the machine may be finding out the time */
};

static bool same_boot(const struct keyring *keyring)
{
    static const uint8_t unknown[OS_BOOT_ID_BYTES];
    const struct state *state = keyring->state;

    return memcmp(state->clock_boot, keyring->boot, sizeof(unknown)) == 0 &&
           memcmp(keyring->boot, unknown, sizeof(unknown)) != 0;
}

/* Where the machine's running time is measured from. */
static void anchor(struct keyring *keyring, int64_t now_unix, int64_t up_s)
{
    struct state *state = keyring->state;

    memcpy(state->clock_boot, keyring->boot, sizeof(state->clock_boot));
    state->clock_anchor = now_unix;
    state->clock_up = up_s;
    state->dirty = true;
}

/* The latest that it can be. */
static int64_t limit_of(const struct keyring *keyring, int64_t up_s)
{
    const struct state *state = keyring->state;

    return same_boot(keyring) ? state->clock_anchor + (up_s - state->clock_up) + AHEAD_S
                              : state->clock_floor + up_s + OFF_S;
}

void keyring_watch_clock(struct keyring *keyring, int64_t now_unix, int64_t up_s)
{
    const struct state *state = keyring->state;
    bool first = state->clock_floor == 0; /* a new vault: whoever makes it looks at its clock */

    int64_t limit = limit_of(keyring, up_s);
    keyring->ahead_s = !first && now_unix > limit ? now_unix - limit : 0;
    bool settled = first || up_s >= UNSETTLED_S;
    if (keyring->ahead_s == 0 && settled && !same_boot(keyring)) {
        anchor(keyring, now_unix, up_s);
    }
}

int64_t keyring_clock_off(const struct keyring *keyring, int64_t now_unix)
{
    int64_t behind_s = keyring->state->clock_floor - now_unix;

    if (keyring->ahead_s > 0) {
        return keyring->ahead_s;
    }
    return behind_s > KEYRING_CLOCK_BEHIND_S ? -behind_s : 0;
}

kw_status keyring_clock(struct kw_op *op, const struct keyring *keyring, int64_t now_unix)
{
    long long off_s = keyring_clock_off(keyring, now_unix);

    ENSURE(op, off_s <= 0, KW_E_UNAVAILABLE,
           "clock: it is %lld s later than it can be; set it right, or say that it is right: "
           "'keywright vault clock'",
           off_s);
    ENSURE(op, off_s == 0, KW_E_UNAVAILABLE,
           "clock: it is %lld s behind a time that was here already; set it right, or say that it "
           "is right: 'keywright vault clock'",
           -off_s);
    return KW_OK;
}

void keyring_trust_clock(struct keyring *keyring, int64_t now_unix, int64_t up_s)
{
    struct state *state = keyring->state;

    keyring->ahead_s = 0;
    state->clock_floor = now_unix;
    anchor(keyring, now_unix, up_s);
}

kw_status keyring_confirm_clock(struct kw_op *op, struct keyring *keyring, int64_t now_unix,
                                int64_t up_s)
{
    int64_t moved_s = now_unix - keyring->state->clock_floor;
    uint32_t count = moved_s < 0 || moved_s > INT32_MAX ? 0 : (uint32_t)moved_s;

    TRY(op, keyring_note_deed(op, keyring, KEEPER_VAULT_CLOCK, count, now_unix));
    keyring_trust_clock(keyring, now_unix, up_s);
    return keyring_save(op, keyring);
}
