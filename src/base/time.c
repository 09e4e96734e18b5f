#include "base/time.h"

#include <stdio.h>
#include <string.h>

enum { DAY_S = 86400, DAYS_400_YEARS = 146097 };

/* 0000-01-01T00:00:00Z and the last millisecond of year 9999: what four year digits can say. */
static const int64_t first_ms = INT64_C(-62167219200000);
static const int64_t last_ms = INT64_C(253402300799999);

struct date {
    int year, month, day; /* month and day from 1 */
};

/*
 * Days since 1970-01-01 to a date of the proleptic Gregorian calendar and back. Years are counted
 * from 1 March, so that the leap day is a year's last; an era is 400 years.
 */
static struct date date_of_days(int64_t days)
{
    days += 719468; /* from 0000-03-01 */
    int64_t era = (days >= 0 ? days : days - (DAYS_400_YEARS - 1)) / DAYS_400_YEARS;
    int day_of_era = (int)(days - era * DAYS_400_YEARS);
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int shifted_month = (5 * day_of_year + 2) / 153; /* 0 = March */
    int month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    return (struct date){
        .year = (int)(year_of_era + era * 400) + (month <= 2 ? 1 : 0),
        .month = month,
        .day = day_of_year - (153 * shifted_month + 2) / 5 + 1,
    };
}

static int64_t days_of_date(struct date date)
{
    int64_t year = date.month <= 2 ? date.year - 1 : date.year;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int shifted_month = date.month > 2 ? date.month - 3 : date.month + 9;
    int64_t day_of_year = (153 * shifted_month + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_400_YEARS + day_of_era - 719468;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && leap ? 29 : days[month - 1];
}

const char *kw_time_text_ms(int64_t unix_ms, char text[KW_TIME_TEXT])
{
    int64_t ms = unix_ms < first_ms ? first_ms : unix_ms > last_ms ? last_ms : unix_ms;
    int64_t since_first = ms - first_ms; /* never negative: division rounds down */
    int day_ms = (int)(since_first % (DAY_S * INT64_C(1000)));
    struct date date = date_of_days((ms - day_ms) / (DAY_S * INT64_C(1000)));
    int day_s = day_ms / 1000;

    (void)snprintf(text, KW_TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                   (unsigned)date.year % 10000, (unsigned)date.month % 100,
                   (unsigned)date.day % 100, (unsigned)day_s / 3600 % 100,
                   (unsigned)day_s / 60 % 60, (unsigned)day_s % 60, (unsigned)day_ms % 1000);
    return text;
}

const char *kw_time_text(int64_t unix_s, char text[KW_TIME_TEXT])
{
    int64_t first_s = first_ms / 1000;
    int64_t s = unix_s < first_s ? first_s : unix_s > KW_TIME_NEVER ? KW_TIME_NEVER : unix_s;

    (void)kw_time_text_ms(s * 1000, text);
    memcpy(text + strlen("2026-11-21T02:22:42"), "Z", 2);
    return text;
}

/* n digits at *text, which moves on; -1 where there are fewer. */
static int take_digits(const char **text, int n)
{
    int value = 0;

    for (int i = 0; i < n; i++, (*text)++) {
        if (**text < '0' || **text > '9') {
            return -1;
        }
        value = value * 10 + (**text - '0');
    }
    return value;
}

/* Read as the pattern says: 4, 3 and 2 stand for so many digits, all else for itself. */
static bool take_pattern(const char **text, const char *pattern, int *values)
{
    for (; *pattern; pattern++) {
        if (*pattern >= '2' && *pattern <= '4') {
            *values = take_digits(text, *pattern - '0');
            if (*values++ < 0) {
                return false;
            }
        } else if (*(*text)++ != *pattern) {
            return false;
        }
    }
    return true;
}

kw_status kw_time_parse(const char *text, int64_t *ret_unix_ms)
{
    int v[6]; /* year, month, day, hour, minute, second */
    int ms = 0;

    if (!take_pattern(&text, "4-2-2T2:2:2", v)) {
        return KW_FAIL(KW_E_INPUT);
    }
    if (*text == '.' && !take_pattern(&text, ".3", &ms)) {
        return KW_FAIL(KW_E_INPUT);
    }
    bool date_good = v[1] >= 1 && v[1] <= 12 && v[2] >= 1 && v[2] <= days_in_month(v[0], v[1]);
    /* No leap second: POSIX time has none, and accepting one would give two texts for one time. */
    bool time_good = v[3] <= 23 && v[4] <= 59 && v[5] <= 59;
    if (strcmp(text, "Z") != 0 || !date_good || !time_good) {
        return KW_FAIL(KW_E_INPUT);
    }
    int64_t days = days_of_date((struct date){v[0], v[1], v[2]});
    *ret_unix_ms = (days * DAY_S + v[3] * 3600 + v[4] * 60 + v[5]) * 1000 + ms;
    return KW_OK;
}

kw_status kw_time_parse_exact(struct kw_span text, int64_t *ret_unix_s)
{
    char given[KW_TIME_TEXT] = "", again[KW_TIME_TEXT];
    int64_t ms = 0;

    if (text.len == 0 || text.len >= sizeof(given)) {
        return KW_FAIL(KW_E_INPUT);
    }
    memcpy(given, text.p, text.len);
    if (!kw_ok(kw_time_parse(given, &ms)) ||
        !kw_span_equal(kw_span_text(kw_time_text(ms / 1000, again)), text)) {
        return KW_FAIL(KW_E_INPUT);
    }
    *ret_unix_s = ms / 1000;
    return KW_OK;
}
