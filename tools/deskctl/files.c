/* The file work of deskctl's commands. Key files appear complete or not at all: they are linked
 * into place, which also refuses to replace one. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, char *buffer, size_t max_bytes, size_t *length)
{
    size_t used = 0;
    while (used <= max_bytes) {
        ssize_t got = read(fd, buffer + used, max_bytes + 1 - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    *length = used;
    return 0;
}

int files_read(struct arena *arena, const char *path, size_t max_bytes, char **bytes,
               size_t *length, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0)
        return err_set(err, ERR_PERMANENT, "file.open", "%s: %s", path, strerror(errno));
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return err_set(err, ERR_PERMANENT, "file.open", "%s is no regular file", path);
    }
    if ((size_t)status.st_size > max_bytes) {
        close(fd);
        return err_set(err, ERR_PERMANENT, "file.size", "%s is larger than %zu bytes", path,
                       max_bytes);
    }
    /* Sized by the file, with room for one that grows meanwhile to be noticed. */
    size_t room = (size_t)status.st_size;
    char *buffer = arena_alloc(arena, room + 2);
    size_t used = 0;
    int result = read_all(fd, buffer, room, &used);
    close(fd);
    if (result != 0 || used > room)
        return err_set(err, ERR_PERMANENT, "file.read", "%s cannot be read to its end", path);
    buffer[used] = '\0';
    *bytes = buffer;
    *length = used;
    return 0;
}

static int write_all(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t done = write(fd, text, left);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        text += done;
        left -= (size_t)done;
    }
    return fsync(fd);
}

int files_create_key(const char *path, const char *text, struct err *err)
{
    char draft[PATH_MAX];
    int length = snprintf(draft, sizeof draft, "%s.%ld", path, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof draft)
        return err_set(err, ERR_PERMANENT, "file.write", "the path is too long: %.100s", path);
    int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (fd < 0)
        return err_set(err, ERR_PERMANENT, "file.write", "%s: %s", path, strerror(errno));
    int written = write_all(fd, text);
    int linked = -1;
    int why = errno;
    close(fd);
    if (written == 0) {
        linked = link(draft, path);
        why = errno;
    }
    unlink(draft);
    if (linked == 0)
        return 0;
    if (written == 0 && why == EEXIST)
        return err_set(err, ERR_PERMANENT, "file.exists",
                       "%s is there already and is never replaced", path);
    return err_set(err, ERR_PERMANENT, "file.write", "%s: %s", path, strerror(why));
}

/* A folder of the checkout or the installation, and what it must hold to be the right one. */
struct wanted {
    const char *folder, *inside;
};

static const char *look_under(struct arena *arena, const char *base, const struct wanted *wanted)
{
    const char *dir = arena_printf(arena, "%s/%s", base, wanted->folder);
    const char *inside = arena_printf(arena, "%s/%s", dir, wanted->inside);
    return access(inside, R_OK | X_OK) == 0 ? dir : NULL;
}

/* `configured` if not empty, else what lies here or above the program; NULL if nothing does. */
static const char *find_folder(struct arena *arena, const char *configured,
                               const struct wanted *wanted)
{
    if (*configured != '\0')
        return configured;
    const char *found = look_under(arena, ".", wanted);
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    for (char *slash = strrchr(program, '/'); found == NULL && slash != NULL && slash != program;
         slash = strrchr(program, '/')) {
        *slash = '\0';
        found = look_under(arena, program, wanted);
    }
    return found;
}

int files_schema_dir(struct arena *arena, const char *configured, const char **dir, struct err *err)
{
    static const struct wanted wanted = {"schema", "migrations"};
    const char *found = find_folder(arena, configured, &wanted);
    if (found == NULL)
        return err_set(err, ERR_PERMANENT, "file.schema",
                       "no folder schema/migrations here or above the program; give "
                       "--schema_dir=DIR");
    *dir = found;
    return 0;
}

int files_vendors_dir(struct arena *arena, const char *configured, const char **dir,
                      struct err *err)
{
    static const struct wanted wanted = {"deploy/vendors", "."};
    const char *found = find_folder(arena, configured, &wanted);
    if (found == NULL)
        return err_set(err, ERR_PERMANENT, "file.vendors",
                       "no folder deploy/vendors here or above the program; give "
                       "--vendors_dir=DIR");
    *dir = found;
    return 0;
}
