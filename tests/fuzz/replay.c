/*
 * Runs a fuzz target over its corpus in an ordinary test: every file of the folders (or the files)
 * that are given, and the empty input. Fails where a folder has no file: a corpus that got lost
 * would test nothing.
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

static unsigned n_inputs;

static void run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    /* Exactly as large as the input: sanitizers see every octet that is read behind it. */
    uint8_t *data = malloc(size > 0 ? size : 1);

    if (!file || !data || fread(data, 1, size, file) != size) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    (void)fclose(file); /* only read */
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    n_inputs++;
}

static int run_folder(const char *path)
{
    DIR *folder = opendir(path);
    unsigned before = n_inputs;

    if (!folder) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char child[PATH_MAX];
        struct stat st;
        int n = snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
        if (n > 0 && (size_t)n < sizeof(child) && stat(child, &st) == 0 && S_ISREG(st.st_mode)) {
            run_file(child, (size_t)st.st_size);
        }
    }
    (void)closedir(folder); /* only read */
    if (n_inputs == before) {
        (void)fprintf(stderr, "%s: no corpus\n", path);
        return 1;
    }
    return 0;
}

int main(int argc, char *argv[])
{
    int failed = argc < 2;

    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) != 0) {
            (void)fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
            failed = 1;
            continue;
        }
        if (S_ISDIR(st.st_mode)) {
            failed |= run_folder(argv[i]);
        } else {
            run_file(argv[i], (size_t)st.st_size);
        }
    }
    printf("%u inputs\n", n_inputs);
    return failed;
}
