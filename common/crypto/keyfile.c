/* Key files: one line of hexadecimal text, as Kubernetes mounts a secret. Read at start by every
 * service that holds a key. */
#include "crypto/crypto.h"

#include "base/mem.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES_MAX 256

static int read_file(const char *path, char *text, size_t size, size_t *length, struct err *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return err_set(err, ERR_PERMANENT, "crypto.key_file",
                       "cannot open key file %s: %s; check the path and its permissions", path,
                       strerror(errno));
    setvbuf(file, NULL, _IONBF, 0); /* no copy of the key is left in a stream buffer */
    *length = fread(text, 1, size, file);
    int failed = ferror(file);
    fclose(file);
    if (failed != 0)
        return err_set(err, ERR_PERMANENT, "crypto.key_file", "cannot read key file %s", path);
    return 0;
}

int crypto_read_key_file(const char *path, size_t length, struct secret **key, struct err *err)
{
    char text[2 * KEY_BYTES_MAX + 3] = ""; /* one byte more than may be there, and a NUL */
    uint8_t bytes[KEY_BYTES_MAX];
    size_t used = 0;
    assert(length > 0 && length <= KEY_BYTES_MAX);
    if (read_file(path, text, sizeof text - 1, &used, err) != 0)
        return -1;
    if (used > 0 && text[used - 1] == '\n')
        used--;
    text[used] = '\0';
    bool good = used == 2 * length && text_parse_hex(text, bytes, length);
    if (good)
        *key = secret_new(bytes, length);
    explicit_bzero(text, sizeof text);
    explicit_bzero(bytes, sizeof bytes);
    if (!good)
        return err_set(err, ERR_PERMANENT, "crypto.key_file",
                       "key file %s must hold one line of %zu hexadecimal digits; make one with "
                       "\"openssl rand -hex %zu\"",
                       path, 2 * length, length);
    return 0;
}

int crypto_read_key_files(const char *paths, size_t length, struct secret **keys, size_t max,
                          size_t *count, struct err *err)
{
    char *copy = xstrdup(paths), *rest = copy;
    int rc = 0;
    *count = 0;
    for (char *path; rc == 0 && (path = strsep(&rest, ",")) != NULL;) {
        rc = *count < max ? crypto_read_key_file(path, length, &keys[*count], err)
                          : err_set(err, ERR_PERMANENT, "crypto.key_file",
                                    "more than %zu key files; take out those that nothing is "
                                    "wrapped with any more",
                                    max);
        *count += rc == 0;
    }
    free(copy);
    return rc;
}
