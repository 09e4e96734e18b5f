#include "model/iso_week.h"

#include <stdio.h>

enum { DAY_S = 86400, THURSDAY = 3 }; /* 1970-01-01 was a Thursday: day 3 from Monday on */

static int64_t days_of(int64_t unix_s)
{
    return (unix_s - (unix_s < 0 ? DAY_S - 1 : 0)) / DAY_S;
}

int64_t iso_week_start(int64_t unix_s)
{
    int64_t days = days_of(unix_s);
    int64_t weekday = ((days + THURSDAY) % 7 + 7) % 7;

    return (days - weekday) * DAY_S;
}

static int is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

const char *iso_week_text(int64_t unix_s, char text[ISO_WEEK_TEXT])
{
    int64_t day =
        days_of(iso_week_start(unix_s)) + THURSDAY; /* its Thursday says whose week it is */
    int64_t year = 1970;

    for (; day < 0; year--) {
        day += 365 + is_leap(year - 1);
    }
    for (; day >= 365 + is_leap(year); year++) {
        day -= 365 + is_leap(year);
    }
    (void)snprintf(text, ISO_WEEK_TEXT, "%04d-W%02d", (int)year, (int)(day / 7) + 1);
    return text;
}
