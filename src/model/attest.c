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

void attest_round(struct attest_standing *standing, const struct attest_patience *patience,
                  enum attest_reason reason, int64_t now_ms)
{
    bool good = reason == ATTEST_R_OK;

    standing->reason = reason;
    if (!good && !attest_reason_counts(reason)) {
        return;
    }
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

enum attest_verdict attest_verdict_now(const struct attest_standing *standing, int64_t now_ms)
{
    bool over = standing->verdict == ATTEST_TRUSTED && now_ms > standing->valid_until_ms;

    return over ? ATTEST_SUSPECT : standing->verdict;
}
