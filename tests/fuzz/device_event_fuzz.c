/* A device's events, as anybody may send them: never a crash, and what is read is what is written.
 */
#include <stdlib.h>

#include "model/device_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_reader r = kw_reader_of(KW_SPAN(data, size));
    struct device_event event;
    struct kw_span hashed;

    while (kw_ok(device_event_read(&r, &event, &hashed))) {
        uint8_t room[DEVICE_EVENT_RECORD_MAX];
        struct kw_out out = KW_OUT_ARRAY(room);
        if (!kw_ok(device_event_write(&event, &out)) || !kw_span_equal(kw_out_span(&out), hashed)) {
            abort();
        }
    }
    return 0;
}
