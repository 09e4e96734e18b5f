/* Says of each file whether the keeper takes it for canonical TUF metadata; for tests/interop. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/keywright-keeper/tuf_scan.h"
#include "os/files.h"

static void judge(struct kw_span body)
{
    struct tuf_head head;
    const char *wrong = NULL;

    if (kw_ok(tuf_scan(body, &head, &wrong))) {
        (void)printf("taken %.*s %llu %.*s\n", (int)head.type.len, (const char *)head.type.p,
                     (unsigned long long)head.version, (int)head.expires.len,
                     (const char *)head.expires.p);
    } else {
        (void)printf("refused %s\n", wrong);
    }
}

int main(int argc, char *argv[])
{
    for (int i = 1; i < argc; i++) {
        AUTO(kw_bytes) *body = NULL;
        if (!kw_ok(os_file_read(NULL, argv[i], 1 << 20, &body))) {
            return EXIT_FAILURE;
        }
        judge(kw_bytes_span(body));
    }
    return EXIT_SUCCESS;
}
