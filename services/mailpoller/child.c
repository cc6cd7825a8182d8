/* Runs a program on a stranger's bytes. box_files.c starts it. Both ends of it are files in memory:
 * no pipe that fills, no file that stays, and the limit of a file's size bounds what it writes. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#define FILES_MAX   32
#define WORDS_MAX   16
#define EXIT_NO_RUN 127

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "tell child.c the architecture's number in linux/audit.h"
#endif

struct child {
    pid_t pid;
    int handle, output; /* descriptors: of the process, and of what it writes */
    size_t output_max;
    bool late;
    struct watch *watch;
    struct timer *timer;
    void (*done)(void *arg, const struct child_end *end);
    void *arg;
};

/* ---- in the child: nothing but system calls between fork and exec ---- */

#define LOAD(member)                                                                               \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, member))
#define REFUSE(number)                                                                             \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(number), 0, 1),                                 \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

/* Numbers of another architecture would go round the list: they kill. */
static int forbid_network(void)
{
    static struct sock_filter rules[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        LOAD(nr),
#ifdef __x86_64__
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), /* x32 */
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
#endif
        REFUSE(SYS_socket),
        REFUSE(SYS_socketpair),
        REFUSE(SYS_io_uring_setup),
        REFUSE(SYS_ptrace),
        REFUSE(SYS_process_vm_readv),
        REFUSE(SYS_process_vm_writev),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    static struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

/* Of a process that runs as root; as it may gain none, exec gives none back. */
static int drop_rights(void)
{
    static struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    static struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];
    return (int)syscall(SYS_capset, &header, none);
}

static int limit(__rlimit_resource_t what, rlim_t soft, rlim_t hard)
{
    const struct rlimit limit = {soft, hard};
    return setrlimit(what, &limit);
}

static int set_limits(const struct child_options *options)
{
    const rlim_t cpu_s = (rlim_t)options->cpu_s;
    if (limit(RLIMIT_CPU, cpu_s, cpu_s + 1) != 0 ||
        limit(RLIMIT_AS, options->memory_max, options->memory_max) != 0 ||
        limit(RLIMIT_FSIZE, options->output_max, options->output_max) != 0 ||
        limit(RLIMIT_NOFILE, FILES_MAX, FILES_MAX) != 0)
        return -1;
    return limit(RLIMIT_CORE, 0, 0);
}

/* Signals that are blocked or ignored here would be so there. */
static void plain_signals(void)
{
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn static void become(const struct child_options *options, int input, int output,
                             int nothing)
{
    static char language[] = "LC_ALL=C.UTF-8", path[] = "PATH=/usr/bin:/bin";
    static char *const environment[] = {language, path, NULL};
    char *argv[WORDS_MAX + 1];
    size_t words = 0;
    while (options->argv[words] != NULL && words < WORDS_MAX)
        words++;
    memcpy(argv, options->argv, words * sizeof *argv); /* exec changes none of them */
    argv[words] = NULL;
    plain_signals();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && dup2(input, STDIN_FILENO) >= 0 &&
        dup2(output, STDOUT_FILENO) >= 0 && dup2(nothing, STDERR_FILENO) >= 0 &&
        close_range(STDERR_FILENO + 1, ~0U, 0) == 0 && set_limits(options) == 0 &&
        forbid_network() == 0 && drop_rights() == 0)
        execve(argv[0], argv, environment);
    _exit(EXIT_NO_RUN);
}

/* ---- its files ---- */

static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes += written;
        length -= (size_t)written;
    }
    return lseek(fd, 0, SEEK_SET) == 0;
}

static char *read_all(int fd, size_t max, size_t *length)
{
    char *bytes = xmalloc(max + 1);
    *length = 0;
    while (*length < max) {
        ssize_t got = pread(fd, bytes + *length, max - *length, (off_t)*length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        *length += (size_t)got;
    }
    bytes[*length] = '\0';
    return bytes;
}

/* ---- its end ---- */

static void free_child(struct child **child)
{
    watch_free(&(*child)->watch);
    timer_free(&(*child)->timer);
    if ((*child)->handle >= 0)
        close((*child)->handle);
    close((*child)->output);
    free(*child);
    *child = NULL;
}

/* It has ended, or is killed and ends at once. */
static int reap(const struct child *child)
{
    int status = 0;
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void on_end(void *arg, int events)
{
    struct child *child = arg;
    struct child_end end = {.why = "time"};
    char why[32], *output = NULL;
    (void)events;
    const int status = reap(child);
    end.cut = WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ;
    end.ok = end.cut || (WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (end.ok)
        end.output = output = read_all(child->output, child->output_max, &end.length);
    else if (!child->late) {
        snprintf(why, sizeof why, WIFSIGNALED(status) ? "signal %d" : "exit %d",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        end.why = why;
    }
    void (*done)(void *, const struct child_end *) = child->done;
    void *of = child->arg;
    free_child(&child);
    done(of, &end);
    free(output);
}

/* Its end follows at once. */
static void on_late(void *arg)
{
    struct child *child = arg;
    child->late = true;
    kill(child->pid, SIGKILL);
}

/* ---- its life ---- */

static pid_t start(const struct child_options *options, int output)
{
    pid_t pid = -1;
    int input = memfd_create("stranger", MFD_CLOEXEC),
        nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (input >= 0 && nothing >= 0 && write_all(input, options->input, options->length)) {
        pid = fork();
        if (pid == 0)
            become(options, input, output, nothing);
    }
    if (input >= 0)
        close(input);
    if (nothing >= 0)
        close(nothing);
    return pid;
}

void child_keep_out(void)
{
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        abort(); /* there is no reason for it */
}

struct child *child_start(struct loop *loop, const struct child_options *options, struct err *err)
{
    struct child *child = xcalloc(1, sizeof *child);
    child->output = memfd_create("answer", MFD_CLOEXEC);
    child->pid = child->output < 0 ? -1 : start(options, child->output);
    child->handle = child->pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, child->pid, 0);
    if (child->handle < 0) {
        err_set(err, ERR_RETRY_LATER, "child.start", "no process for %s: %s", options->argv[0],
                strerror(errno));
        if (child->pid > 0) {
            kill(child->pid, SIGKILL);
            reap(child);
        }
        if (child->output >= 0)
            close(child->output);
        free(child);
        return NULL;
    }
    child->output_max = options->output_max;
    child->done = options->done;
    child->arg = options->arg;
    child->watch = watch_new(loop, child->handle, on_end, child);
    watch_set(child->watch, WATCH_READ);
    child->timer = timer_new(loop, on_late, child);
    timer_start(child->timer, options->wall_ms, 0);
    return child;
}

void child_cancel(struct child **child)
{
    if (*child == NULL)
        return;
    kill((*child)->pid, SIGKILL);
    reap(*child);
    free_child(child);
}
