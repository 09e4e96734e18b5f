#include "base/reader.h"
#include "base/writer.h"
#include "check.h"

struct message {
    uint8_t a;
    uint16_t b;
    uint32_t c;
    uint64_t d;
    char text[8];
    uint8_t fixed[4];
    struct kw_span body, more;
};

static kw_status decode(struct kw_span octets, struct message *m)
{
    struct kw_reader r = kw_reader_of(octets);

    m->a = kw_reader_u8(&r);
    m->b = kw_reader_u16(&r);
    m->c = kw_reader_u32(&r);
    m->d = kw_reader_u64(&r);
    kw_reader_text(&r, m->text, sizeof(m->text));
    kw_reader_copy(&r, m->fixed, sizeof(m->fixed));
    m->body = kw_reader_span16(&r, 16);
    m->more = kw_reader_span32(&r, 16);
    return kw_reader_end(&r);
}

static kw_status encode(struct kw_out *out)
{
    struct kw_writer w = kw_writer_of(out);

    kw_writer_u8(&w, 1);
    kw_writer_u16(&w, 0x0203);
    kw_writer_u32(&w, 0x04050607);
    kw_writer_u64(&w, UINT64_C(0x08090a0b0c0d0e0f));
    kw_writer_text(&w, "gr\xc3\xbc\xc3\x9f");
    kw_writer_put(&w, KW_SPAN("wxyz", 4));
    kw_writer_span16(&w, KW_SPAN("body", 4));
    kw_writer_span32(&w, KW_SPAN("", 0));
    return kw_writer_end(&w);
}

static void what_is_written_is_read(void **state)
{
    uint8_t room[64];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct message m;

    (void)state;
    assert_ok(encode(&out));
    assert_memory_equal(room, "\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf\0\6gr", 19);
    assert_ok(decode(kw_out_span(&out), &m));
    assert_int_equal(m.a, 1);
    assert_int_equal(m.b, 0x0203);
    assert_int_equal(m.c, 0x04050607);
    assert_true(m.d == UINT64_C(0x08090a0b0c0d0e0f));
    assert_string_equal(m.text, "gr\xc3\xbc\xc3\x9f");
    assert_memory_equal(m.fixed, "wxyz", 4);
    assert_span(m.body, "body");
    assert_int_equal(m.more.len, 0);
}

static void every_shorter_or_longer_input_is_refused(void **state)
{
    uint8_t room[64];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct message m;

    (void)state;
    assert_ok(encode(&out));
    for (size_t n = 0; n < out.len; n++) {
        uint8_t *exact = test_malloc(n + 1); /* of its very size: ASan sees reads beyond */
        memcpy(exact + 1, room, n);
        assert_code(decode(KW_SPAN(exact + 1, n), &m), KW_E_INPUT);
        test_free(exact);
    }
    room[out.len] = 0;
    assert_code(decode(KW_SPAN(room, out.len + 1), &m), KW_E_INPUT);
}

static void every_room_too_small_is_reported(void **state)
{
    uint8_t room[64];
    struct kw_out full = KW_OUT_ARRAY(room);

    (void)state;
    assert_ok(encode(&full));
    for (size_t cap = 0; cap < full.len; cap++) {
        struct kw_out out = {room, cap, 0};
        assert_code(encode(&out), KW_E_TOO_LARGE);
        assert_true(out.len <= cap);
    }
}

static void after_a_failure_only_zeroes_come(void **state)
{
    uint8_t octets[] = {1, 2, 3};
    uint8_t copy[4] = {9, 9, 9, 9};
    char text[4] = "xyz";
    struct kw_reader r = kw_reader_of(KW_SPAN_ARRAY(octets));

    (void)state;
    assert_int_equal(kw_reader_u32(&r), 0);
    assert_int_equal(kw_reader_u8(&r), 0); /* though there are octets left */
    kw_reader_copy(&r, copy, sizeof(copy));
    assert_memory_equal(copy, "\0\0\0\0", 4);
    kw_reader_text(&r, text, sizeof(text));
    assert_string_equal(text, "");
    assert_int_equal(kw_reader_take(&r, 0).len, 0);
    assert_code(kw_reader_end(&r), KW_E_INPUT);
}

static kw_status read_text(const char *octets, size_t n, char *text, size_t cap)
{
    struct kw_reader r = kw_reader_of(KW_SPAN(octets, n));

    kw_reader_text(&r, text, cap);
    return kw_reader_end(&r);
}

static void texts_are_plain_and_fit(void **state)
{
    char text[5];

    (void)state;
    assert_ok(read_text("\0\4abcd", 6, text, sizeof(text)));
    assert_string_equal(text, "abcd");
    assert_ok(read_text("\0\0", 2, text, sizeof(text)));
    assert_string_equal(text, "");
    assert_code(read_text("\0\5abcde", 7, text, sizeof(text)), KW_E_INPUT);
    assert_code(read_text("\0\3a\0c", 5, text, sizeof(text)), KW_E_INPUT);
    assert_code(read_text("\0\3a\nc", 5, text, sizeof(text)), KW_E_INPUT);
    assert_code(read_text("\0\2\xc3\x28", 4, text, sizeof(text)), KW_E_INPUT);
    assert_string_equal(text, "");
    assert_code(read_text("\0\0", 2, text, 0), KW_E_INPUT);
}

static void lengths_beyond_the_limit_are_refused(void **state)
{
    struct kw_reader r16 = kw_reader_of(KW_SPAN("\0\3abc", 5));
    struct kw_reader r32 = kw_reader_of(KW_SPAN("\xff\xff\xff\xff"
                                                "abc",
                                                7));

    (void)state;
    assert_int_equal(kw_reader_span16(&r16, 2).len, 0);
    assert_code(kw_reader_end(&r16), KW_E_INPUT);
    assert_int_equal(kw_reader_span32(&r32, SIZE_MAX).len, 0);
    assert_code(kw_reader_end(&r32), KW_E_INPUT);
}

static void a_rejected_value_fails_the_whole(void **state)
{
    struct kw_reader r = kw_reader_of(KW_SPAN("\1", 1));

    (void)state;
    assert_int_equal(kw_reader_u8(&r), 1);
    kw_reader_reject(&r);
    assert_code(kw_reader_end(&r), KW_E_INPUT);
}

static void texts_too_long_for_their_length_are_refused(void **state)
{
    static uint8_t room[70000];
    static char text[65537];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&out);

    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    kw_writer_text(&w, text); /* 65536 octets do not fit a u16 */
    assert_code(kw_writer_end(&w), KW_E_TOO_LARGE);
    assert_int_equal(out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(every_shorter_or_longer_input_is_refused),
        cmocka_unit_test(every_room_too_small_is_reported),
        cmocka_unit_test(after_a_failure_only_zeroes_come),
        cmocka_unit_test(texts_are_plain_and_fit),
        cmocka_unit_test(lengths_beyond_the_limit_are_refused),
        cmocka_unit_test(a_rejected_value_fails_the_whole),
        cmocka_unit_test(texts_too_long_for_their_length_are_refused),
    };
    return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
