#include "model/receipt.h"

#include "base/time.h"

kw_status device_receipt_text(const char *device_id, const struct device_receipt *receipt,
                              struct kw_bytes *into)
{
    char when[KW_TIME_TEXT];

    return kw_bytes_printf(
        into, "keywright receipt v1\ndevice: %s\naction: %s\nkey: %s\ntime: %s\nproof: %s\n",
        device_id, receipt->action, receipt->key_id, kw_time_text_ms(receipt->unix_ms, when),
        receipt->proof);
}
