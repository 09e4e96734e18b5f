#include "model/attest.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

static const struct {
    const char *text;
    bool counts;
    const char *meaning;
} reasons[] = {
#define X(name, text, counts, meaning) [ATTEST_R_##name] = {text, counts, meaning},
    ATTEST_REASON_LIST(X)
#undef X
};
_Static_assert(KW_COUNT(reasons) == ATTEST_REASON_MAX, "every reason has a row");

static const char *const verdicts[] = {
    [ATTEST_NONE] = "none",
    [ATTEST_TRUSTED] = "trusted",
    [ATTEST_SUSPECT] = "suspect",
    [ATTEST_FAILED] = "failed",
};
_Static_assert(KW_COUNT(verdicts) == ATTEST_VERDICT_MAX, "every verdict has a row");

const char *attest_verdict_text(enum attest_verdict verdict)
{
    return (unsigned)verdict < ATTEST_VERDICT_MAX ? verdicts[verdict] : "unknown";
}

const char *attest_reason_text(enum attest_reason reason)
{
    return (unsigned)reason < ATTEST_REASON_MAX ? reasons[reason].text : "unknown";
}

const char *attest_reason_meaning(enum attest_reason reason)
{
    return (unsigned)reason < ATTEST_REASON_MAX ? reasons[reason].meaning : "unknown";
}

bool attest_reason_counts(enum attest_reason reason)
{
    return (unsigned)reason < ATTEST_REASON_MAX ? reasons[reason].counts : true;
}

enum attest_reason attest_reason_from_text(const char *text)
{
    unsigned i = 0;

    while (i < ATTEST_REASON_MAX && strcmp(reasons[i].text, text) != 0) {
        i++;
    }
    return (enum attest_reason)i;
}

void attest_level_text(enum attest_level level, bool simulated, char ret[ATTEST_LEVEL_TEXT])
{
    unsigned n = (unsigned)level < ATTEST_LEVEL_MAX ? (unsigned)level : 0;

    (void)snprintf(ret, ATTEST_LEVEL_TEXT, "AL%u%s", n, simulated ? " SIMULATED" : "");
}

static bool too_many_failed(const struct attest_standing *standing,
                            const struct attest_patience *patience)
{
    uint32_t window = (UINT32_C(1) << patience->rounds) - 1;

    return (uint32_t)__builtin_popcount(standing->history & window) >= patience->failed;
}

static enum attest_verdict judge(const struct attest_standing *standing,
                                 const struct attest_patience *patience, bool good)
{
    bool many = too_many_failed(standing, patience);

    if (good) {
        return many ? ATTEST_SUSPECT : ATTEST_TRUSTED;
    }
    return many ? ATTEST_FAILED : ATTEST_SUSPECT;
}

bool attest_patience_fits(const struct attest_patience *patience)
{
    return patience->failed >= 1 && patience->failed <= patience->rounds &&
           patience->rounds <= ATTEST_WINDOW_MAX && patience->trusted_hours >= 1 &&
           patience->trusted_hours <= ATTEST_HOURS_MAX && patience->fresh_minutes >= 1 &&
           patience->fresh_minutes <= ATTEST_FRESH_MAX;
}

/* --- taken by an operator --------------------------------------------------------------------- */

static void cover(struct attest_standing *standing, enum attest_taken from)
{
    standing->taken = from;
    standing->before = standing->verdict;
    standing->before_until_ms = standing->valid_until_ms;
    standing->verdict = ATTEST_FAILED;
    standing->valid_until_ms = 0;
    standing->reason =
        from == ATTEST_TAKEN_DEVICE ? ATTEST_R_UNTRUSTED : ATTEST_R_REFERENCE_UNTRUSTED;
}

static enum attest_taken uncover(struct attest_standing *standing)
{
    enum attest_taken from = standing->taken;

    if (from != ATTEST_NOT_TAKEN) {
        standing->verdict = standing->before;
        standing->valid_until_ms = standing->before_until_ms;
        standing->taken = ATTEST_NOT_TAKEN;
        standing->before = ATTEST_NONE;
        standing->before_until_ms = 0;
    }
    return from;
}

void attest_take(struct attest_standing *standing, enum attest_taken from)
{
    if (standing->taken == ATTEST_TAKEN_DEVICE || standing->taken == from) {
        return;
    }
    (void)uncover(standing); /* from a reference set before: now from the device */
    cover(standing, from);
}

void attest_give_back(struct attest_standing *standing)
{
    if (uncover(standing) != ATTEST_NOT_TAKEN) {
        standing->reason = standing->verdict == ATTEST_TRUSTED ? ATTEST_R_OK : ATTEST_R_NO_ROUND;
    }
}

void attest_rebind(struct attest_standing *standing)
{
    enum attest_taken taken = uncover(standing);

    if (standing->verdict == ATTEST_TRUSTED) {
        standing->verdict = ATTEST_NONE;
    }
    standing->valid_until_ms = 0;
    standing->reason = ATTEST_R_NO_ROUND;
    if (taken == ATTEST_TAKEN_DEVICE) {
        cover(standing, taken);
    }
}

/* --- rounds ----------------------------------------------------------------------------------- */

static void count(struct attest_standing *standing, const struct attest_patience *patience,
                  bool good, int64_t now_ms)
{
    standing->history = (standing->history << 1) | (good ? 0 : 1);
    standing->round_ms = now_ms;
    standing->verdict = judge(standing, patience, good);
    if (good) {
        standing->trusted_ms = now_ms;
    }
    standing->valid_until_ms = standing->verdict == ATTEST_TRUSTED
                                   ? now_ms + (int64_t)patience->trusted_hours * 3600 * 1000
                                   : 0;
}

void attest_round(struct attest_standing *standing, const struct attest_patience *patience,
                  enum attest_reason reason, int64_t now_ms)
{
    bool good = reason == ATTEST_R_OK;
    enum attest_taken taken = uncover(standing);

    standing->reason = reason;
    if (good || attest_reason_counts(reason)) {
        count(standing, patience, good, now_ms);
    }
    if (reason == ATTEST_R_EK_REVOKED) { /* no patience: no round can mend it */
        standing->verdict = ATTEST_FAILED;
    }
    if (taken == ATTEST_TAKEN_DEVICE || (taken == ATTEST_TAKEN_REFERENCE && !good)) {
        cover(standing, taken);
    }
}

enum attest_verdict attest_verdict_now(const struct attest_standing *standing, int64_t now_ms)
{
    bool over = standing->verdict == ATTEST_TRUSTED && now_ms > standing->valid_until_ms;

    return over ? ATTEST_SUSPECT : standing->verdict;
}
