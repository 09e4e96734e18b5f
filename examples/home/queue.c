#include "queue.h"

#include <stdlib.h>
#include <string.h>

bool queue_init(struct queue *queue, const char *topic, unsigned cap)
{
    *queue = (struct queue){.topic = topic, .cap = cap, .at = calloc(cap, sizeof(*queue->at))};
    return queue->at != NULL;
}

void queue_done(struct queue *queue)
{
    while (queue->n > 0) {
        queue_pop(queue);
    }
    free(queue->at);
    queue->at = NULL;
}

void queue_pop(struct queue *queue)
{
    struct queued *head = &queue->at[queue->head];

    free(head->topic);
    free(head->payload);
    *head = (struct queued){0};
    queue->head = (queue->head + 1) % queue->cap;
    queue->n--;
    queue->gone++;
}

bool queue_push(struct queue *queue, const char *topic, const void *payload, size_t len)
{
    struct queued item = {
        .topic = topic ? strdup(topic) : NULL, .payload = malloc(len + 1), .len = len};

    if (!item.payload || (topic && !item.topic)) {
        free(item.topic);
        free(item.payload);
        queue->dropped++;
        return false;
    }
    memcpy(item.payload, payload, len);
    item.payload[len] = '\0';
    if (queue->n == queue->cap) {
        queue_pop(queue);
        queue->dropped++;
    }
    queue->at[(queue->head + queue->n++) % queue->cap] = item;
    queue->pushed++;
    return true;
}

const struct queued *queue_head(const struct queue *queue)
{
    return queue->n > 0 ? &queue->at[queue->head] : NULL;
}
