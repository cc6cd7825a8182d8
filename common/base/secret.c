/* Secrets in memory. Made by config, crypto and store; revealed only where a library needs them. */
#include "base/secret.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

struct secret {
    size_t length;
    char bytes[];
};

struct secret *secret_new(const void *bytes, size_t length)
{
    struct secret *secret = xmalloc(sizeof *secret + length + 1);
    secret->length = length;
    memcpy(secret->bytes, bytes, length);
    secret->bytes[length] = '\0';
    return secret;
}

void secret_free(struct secret **secret)
{
    if (*secret == NULL)
        return;
    explicit_bzero((*secret)->bytes, (*secret)->length);
    free(*secret);
    *secret = NULL;
}

const char *secret_reveal(const struct secret *secret)
{
    return secret->bytes;
}

size_t secret_length(const struct secret *secret)
{
    return secret->length;
}

/* Reads at most SECRET_MAX bytes and takes one newline off the end. Returns the length or -1 with
 * errno set (EFBIG: too long). */
static ssize_t read_file(const char *path, char *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t length = 0, got = 0;
    while (length <= SECRET_MAX &&
           ((got = read(fd, out + length, (size_t)(SECRET_MAX + 1 - length))) > 0 ||
            (got < 0 && errno == EINTR)))
        length += got > 0 ? got : 0;
    int problem = got < 0 ? errno : length > SECRET_MAX ? EFBIG : 0;
    close(fd);
    if (problem != 0) {
        errno = problem;
        return -1;
    }
    if (length > 0 && out[length - 1] == '\n')
        length--;
    if (length > 0 && out[length - 1] == '\r')
        length--;
    return length;
}

static int read_from_file(const char *path, struct secret **secret, struct err *err)
{
    char *bytes = xcalloc(1, SECRET_MAX + 1);
    ssize_t length = read_file(path, bytes);
    int problem = errno;
    if (length >= 0)
        *secret = length > 0 ? secret_new(bytes, (size_t)length) : NULL;
    explicit_bzero(bytes, SECRET_MAX + 1);
    free(bytes);
    if (length >= 0)
        return 0;
    return err_set(err, ERR_PERMANENT, "secret.reference",
                   "cannot read the secret's file %.150s: %s; make it readable to this user", path,
                   strerror(problem));
}

int secret_read(const char *reference, struct secret **secret, struct err *err)
{
    if (strncmp(reference, "file:", 5) == 0)
        return read_from_file(reference + 5, secret, err);
    const char *text = strncmp(reference, "env:", 4) == 0 ? getenv(reference + 4) : NULL;
    if (text == NULL || strlen(text) > SECRET_MAX)
        return err_set(err, ERR_PERMANENT, "secret.reference",
                       "the secret is to be named by file:PATH or the env:NAME of a variable that "
                       "is set");
    *secret = text[0] != '\0' ? secret_new(text, strlen(text)) : NULL;
    return 0;
}
