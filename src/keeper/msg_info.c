/* INFO: how the keeper is. */
#include "keeper/msg_rows.h"

void enc_info(struct kw_writer *w, const struct keeper_msg *msg)
{
    (void)w; /* nothing behind request_id */
    (void)msg;
}

void dec_info(struct kw_reader *r, struct keeper_msg *ret)
{
    (void)r; /* nothing behind request_id */
    (void)ret;
}

void enc_info_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_u32(w, answer->info.n_keys);
    kw_writer_u64(w, answer->info.signatures);
    kw_writer_u64(w, answer->info.refusals);
    kw_writer_u64(w, answer->info.refusals_unlogged);
    kw_writer_u8(w, answer->info.log_writable ? 1 : 0);
    kw_writer_u32(w, answer->info.uid);
    kw_writer_u8(w, answer->info.calls_filtered ? 1 : 0);
    kw_writer_u8(w, answer->info.landlock_abi);
    kw_writer_u8(w, answer->info.drivers ? 1 : 0);
}

void dec_info_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->info.n_keys = kw_reader_u32(r);
    ret->info.signatures = kw_reader_u64(r);
    ret->info.refusals = kw_reader_u64(r);
    ret->info.refusals_unlogged = kw_reader_u64(r);
    uint8_t writable = kw_reader_u8(r);
    ret->info.log_writable = writable == 1;
    ret->info.uid = kw_reader_u32(r);
    uint8_t filtered = kw_reader_u8(r);
    ret->info.calls_filtered = filtered == 1;
    ret->info.landlock_abi = kw_reader_u8(r);
    uint8_t drivers = kw_reader_u8(r);
    ret->info.drivers = drivers == 1;
    if (writable > 1 || filtered > 1 || drivers > 1) {
        kw_reader_reject(r);
    }
}
