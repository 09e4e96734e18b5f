/* MQTT topics and filters against patterns of the policy. Pure. */
#ifndef PLUGIN_TOPIC_H
#define PLUGIN_TOPIC_H

#include <stdbool.h>

enum { TOPIC_MAX = 256, TOPIC_DEPTH_MAX = 32 }; /* octets of a pattern; levels of anything */

/**
 * Does the pattern cover everything that the filter (or the topic: a filter without wildcards) can
 * stand for? A level "{id}" of the pattern is the identity; '+' and '#' as in MQTT, and as there
 * neither stands for a first level that begins with '$'. Octets are compared: no folding of case
 * or of Unicode.
 */
bool topic_covers(const char *pattern, const char *id, const char *filter);
/* May this be published to: not empty, no wildcards, no control characters, UTF-8. */
bool topic_is_name(const char *topic);
/* May this be subscribed to: wildcards stand alone in their level, '#' last. */
bool topic_is_filter(const char *filter);
/* May this stand in a policy: a filter, "{id}" only as a whole level, no other braces. */
bool topic_is_pattern(const char *pattern);
/* What a subscription is to: of "$share/GROUP/FILTER" the filter, of others themselves. NULL where
 * the shared form is broken. */
const char *topic_of_subscription(const char *subscription);
/* Can this stand for one level: no '/', '+', '#', not beginning with '$', no control characters. */
bool topic_is_level(const char *id);

#endif
