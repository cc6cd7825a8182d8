/* Reading a mailbox's secret. A file is small and local: it is read on the loop. */
#include "secret_of.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ssize_t read_file(const char *path, char bytes[SECRET_OF_MAX + 1])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t length = fd >= 0 ? read(fd, bytes, SECRET_OF_MAX + 1) : -1;
    int why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    return length;
}

static int take(const char *bytes, size_t length, const char *name, struct secret **secret,
                struct err *err)
{
    while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r'))
        length--;
    if (length == 0 || length > SECRET_OF_MAX || memchr(bytes, '\0', length) != NULL)
        return err_set(err, ERR_FALL_BACK, "mailbox.secret",
                       "the secret %.100s is empty, too long or no text", name);
    *secret = secret_new(bytes, length);
    return 0;
}

int secret_of(const char *from, const char *name, struct secret **secret, struct err *err)
{
    char bytes[SECRET_OF_MAX + 1];
    if (strcmp(from, "env") == 0) {
        const char *text = getenv(name);
        if (text == NULL)
            return err_set(err, ERR_FALL_BACK, "mailbox.secret",
                           "the variable %.100s of the secret is not set", name);
        return take(text, strlen(text), name, secret, err);
    }
    ssize_t length = name[0] == '/' ? read_file(name, bytes) : -1;
    if (length < 0)
        return err_set(err, ERR_FALL_BACK, "mailbox.secret", "the secret's file %.100s: %s", name,
                       name[0] == '/' ? strerror(errno) : "is no absolute path");
    int result = take(bytes, (size_t)length, name, secret, err);
    explicit_bzero(bytes, sizeof bytes);
    return result;
}
