/*
 * Runs a fuzz target over its corpus in an ordinary test: every file of the folders (or the files)
 * that are given, and the empty input. A case that crashes ends the program before its "ok", and a
 * folder without a file fails: a corpus that got lost would test nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned n_cases;

static int report(int good, const char *path, const char *why)
{
    const char *slash = strrchr(path, '/');

    n_cases++;
    (void)printf("%sok %u - %s%s%s\n", good ? "" : "not ", n_cases, slash ? slash + 1 : path,
                 good ? "" : ": ", why);
    (void)fflush(stdout); /* what is told stays told where the next case crashes */
    return good ? 0 : 1;
}

/* The file's octets, exactly as large as they are: sanitizers see every octet read behind them. */
static uint8_t *read_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size > 0 ? size : 1);

    if (!file || !data || fread(data, 1, size, file) != size) {
        free(data);
        data = NULL;
    }
    if (file) {
        (void)fclose(file); /* only read */
    }
    return data;
}

static int run_file(const char *path, size_t size)
{
    uint8_t *data = read_file(path, size);

    if (!data) {
        return report(0, path, strerror(errno));
    }
    (void)LLVMFuzzerTestOneInput(data, size); /* always 0 */
    free(data);
    return report(1, path, "");
}

static int run_folder(const char *path)
{
    struct dirent **entries = NULL;
    int n_entries = scandir(path, &entries, NULL, alphasort);
    unsigned before = n_cases;
    int failed = 0;

    for (int i = 0; i < n_entries; i++) {
        char child[PATH_MAX];
        struct stat st;
        int n = snprintf(child, sizeof(child), "%s/%s", path, entries[i]->d_name);
        if (n > 0 && (size_t)n < sizeof(child) && stat(child, &st) == 0 && S_ISREG(st.st_mode)) {
            failed |= run_file(child, (size_t)st.st_size);
        }
        free(entries[i]);
    }
    free(entries);
    if (n_cases == before) {
        failed = report(0, path, "no corpus");
    }
    return failed;
}

int main(int argc, char *argv[])
{
    int failed = argc < 2 ? report(0, "arguments", "no corpus given") : 0;

    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0); /* always 0 */
    failed |= report(1, "the empty input", "");
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) != 0) {
            failed |= report(0, argv[i], strerror(errno));
        } else if (S_ISDIR(st.st_mode)) {
            failed |= run_folder(argv[i]);
        } else {
            failed |= run_file(argv[i], (size_t)st.st_size);
        }
    }
    (void)printf("1..%u\n", n_cases);
    return failed;
}
