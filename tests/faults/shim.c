/* Faults at the file calls of a server: loaded into it with LD_PRELOAD by tests/faults.
 *
 * Every call that libc offers for changing files is counted when it concerns a file below the
 * directory FAULTS_DIR. The rules are in the file FAULTS_CONTROL, which is mapped here and written
 * by the test (tests/faults/shim.rs knows the same layout): "when the server itself makes its 7th
 * call among write and fsync, kill the process group". The map is shared, so that a forked child
 * obeys the same rules and the counts go on over both.
 *
 * Why not `strace -e inject`: it counts per thread, slows each call down by 50 us, cannot tell a
 * file's write from a socket's, and cannot cut the power of a file system.
 *
 * Calls made by libc inside itself (stdio) are not seen: fine for Rust, not for the RDB files of the
 * genuine server. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* FS_IOC_SHUTDOWN with "no flush": what was not synced is lost, as when the power fails. */
#define SHUTDOWN_IOCTL 0x8004587d
#define SHUTDOWN_NO_FLUSH 2

enum call { OPEN, WRITE, FSYNC, RENAME, UNLINK, CLOSE, TRUNCATE, ALLOCATE, MKDIR, CALLS };
enum scope { ANYBODY, SERVER, CHILD };
enum action { NONE, KILL_ALL, KILL_ALL_AFTER, KILL_ONE, KILL_ONE_AFTER, FAIL, SHORT, SWALLOW, CUT };

struct control {
    /* Written by the test. */
    uint64_t armed;
    uint64_t calls; /* one bit for each `enum call` */
    uint64_t scope;
    uint64_t nth;   /* the first matching call at which to act, from 1 */
    uint64_t times; /* at how many calls; 0: from then on */
    uint64_t action;
    uint64_t error;
    uint64_t sync_delay_us; /* for each fsync, armed or not */
    uint64_t server;        /* process id; every other process is a child, or none if 0 */
    char only[64];          /* part of the file's name; empty: every file */
    /* Written here. */
    uint64_t seen[16]; /* calls of each kind while armed */
    uint64_t matched;
    uint64_t fired;
    uint64_t fired_call; /* of the first: the call, and whether a child made it */
    uint64_t fired_in_child;
    char fired_path[256];
};

static struct control *control;
/* A copy: servers write their titles over their environments. */
static char directory[PATH_MAX];
static size_t directory_length;

__attribute__((constructor)) static void map_control(void) {
    const char *path = getenv("FAULTS_CONTROL");
    const char *name = getenv("FAULTS_DIR");
    if (!path || !name || strlen(name) >= sizeof directory) return;
    strcpy(directory, name);
    directory_length = strlen(directory);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) return;
    void *map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (map != MAP_FAILED) control = map;
}

static uint64_t count(uint64_t *counter) { return __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST); }

static int armed(void) { return control && __atomic_load_n(&control->armed, __ATOMIC_SEQ_CST); }

static int inside(const char *path) {
    return strncmp(path, directory, directory_length) == 0;
}

/* The path of an open file. */
static void path_of(int fd, char *path) {
    char link[32] = "/proc/self/fd/";
    char digits[12];
    size_t at = 0, end = strlen(link);
    path[0] = 0;
    if (fd < 0) return;
    do digits[at++] = (char)('0' + fd % 10);
    while ((fd /= 10) > 0);
    while (at > 0) link[end++] = digits[--at];
    link[end] = 0;
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
}

/* The path that a name given to a call means. */
static void path_at(int folder, const char *name, char *path) {
    if (name[0] == '/') {
        strncpy(path, name, PATH_MAX - 1);
        path[PATH_MAX - 1] = 0;
        return;
    }
    if (folder == AT_FDCWD) {
        if (syscall(SYS_getcwd, path, PATH_MAX) < 0) path[0] = 0;
    } else {
        path_of(folder, path);
    }
    size_t length = strlen(path);
    if (length + 1 + strlen(name) < PATH_MAX) {
        path[length] = '/';
        strcpy(path + length + 1, name);
    }
}

static void die(enum action action) {
    kill(action == KILL_ONE || action == KILL_ONE_AFTER ? getpid() : 0, SIGKILL);
    for (;;) pause();
}

static void cut_power(void) {
    /* When a child cuts, the server may be in an fsync that would still report a success: when power
     * fails, nobody runs on to hear of it. */
    if (control->server && getpid() != (pid_t)control->server) kill((pid_t)control->server, SIGKILL);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    uint32_t how = SHUTDOWN_NO_FLUSH;
    ioctl(fd, SHUTDOWN_IOCTL, &how);
    die(KILL_ALL);
}

/* What is to happen at this call. */
static enum action at(enum call call, const char *path) {
    if (!inside(path)) return NONE;
    count(&control->seen[call]);
    if (!(control->calls & (uint64_t)1 << call)) return NONE;
    int child = control->server && getpid() != (pid_t)control->server;
    if ((control->scope == SERVER && child) || (control->scope == CHILD && !child)) return NONE;
    if (control->only[0] && !strstr(path, control->only)) return NONE;
    uint64_t number = count(&control->matched);
    if (number < control->nth) return NONE;
    if (control->times && number >= control->nth + control->times) return NONE;
    if (count(&control->fired) == 1) {
        control->fired_call = call;
        control->fired_in_child = (uint64_t)child;
        strncpy(control->fired_path, path, sizeof control->fired_path - 1);
    }
    if (control->action == KILL_ALL || control->action == KILL_ONE) die(control->action);
    if (control->action == CUT) cut_power();
    return control->action;
}

static enum action at_file(enum call call, int fd) {
    int saved = errno;
    char path[PATH_MAX];
    enum action action = NONE;
    if (armed()) {
        path_of(fd, path);
        action = at(call, path);
    }
    errno = saved;
    return action;
}

static enum action at_name(enum call call, int folder, const char *name) {
    int saved = errno;
    char path[PATH_MAX];
    enum action action = NONE;
    if (armed()) {
        path_at(folder, name, path);
        action = at(call, path);
    }
    errno = saved;
    return action;
}

/* The end of a call that was made. */
static long done(enum action action, long result) {
    if (action == KILL_ALL_AFTER || action == KILL_ONE_AFTER) die(action);
    return result;
}

static long failed(void) {
    errno = (int)control->error;
    return -1;
}

static ssize_t put(int fd, const char *bytes, size_t length, off_t offset, int here) {
    enum action action = at_file(WRITE, fd);
    if (action == FAIL) return failed();
    if (action == SWALLOW) return (ssize_t)length;
    if (action == SHORT && length > 1) length /= 2;
    return done(action, here ? syscall(SYS_write, fd, bytes, length)
                             : syscall(SYS_pwrite64, fd, bytes, length, offset));
}

static ssize_t put_many(int fd, const struct iovec *parts, int number, off_t offset, int here) {
    enum action action = at_file(WRITE, fd);
    if (action == FAIL) return failed();
    if (action == SWALLOW) {
        ssize_t total = 0;
        for (int part = 0; part < number; part++) total += (ssize_t)parts[part].iov_len;
        return total;
    }
    struct iovec half = parts[0];
    if (action == SHORT && number > 1) number = 1;
    if (action == SHORT && half.iov_len > 1) half.iov_len /= 2;
    const struct iovec *from = action == SHORT ? &half : parts;
    return done(action, here ? syscall(SYS_writev, fd, from, number)
                             : syscall(SYS_pwritev, fd, from, number, offset, 0));
}

ssize_t write(int fd, const void *bytes, size_t length) { return put(fd, bytes, length, 0, 1); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return put(fd, bytes, length, offset, 0);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    return put(fd, bytes, length, offset, 0);
}
ssize_t writev(int fd, const struct iovec *parts, int number) {
    return put_many(fd, parts, number, 0, 1);
}
ssize_t pwritev(int fd, const struct iovec *parts, int number, off_t offset) {
    return put_many(fd, parts, number, offset, 0);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int number, off64_t offset) {
    return put_many(fd, parts, number, offset, 0);
}

static int sync_file(int fd, long number) {
    enum action action = at_file(FSYNC, fd);
    if (action == FAIL) return (int)failed();
    if (action == SWALLOW) return 0;
    if (control && control->sync_delay_us) {
        char path[PATH_MAX];
        path_of(fd, path);
        if (inside(path)) {
            uint64_t us = control->sync_delay_us;
            struct timespec rest = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
            while (nanosleep(&rest, &rest) != 0) {}
        }
    }
    return (int)done(action, syscall(number, fd));
}

int fsync(int fd) { return sync_file(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }
int sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags) {
    enum action action = at_file(FSYNC, fd);
    if (action == FAIL) return (int)failed();
    return (int)done(action, syscall(SYS_sync_file_range, fd, offset, length, flags));
}

static int open_file(int folder, const char *name, int flags, mode_t mode) {
    enum action action = at_name(OPEN, folder, name);
    if (action == FAIL) return (int)failed();
    return (int)done(action, syscall(SYS_openat, folder, name, flags, mode));
}

#define MODE(flags, mode)                                  \
    mode_t mode = 0;                                       \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {               \
        va_list list;                                      \
        va_start(list, flags);                             \
        mode = (mode_t)va_arg(list, int);                  \
        va_end(list);                                      \
    }
int open(const char *name, int flags, ...) {
    MODE(flags, mode)
    return open_file(AT_FDCWD, name, flags, mode);
}
int open64(const char *name, int flags, ...) {
    MODE(flags, mode)
    return open_file(AT_FDCWD, name, flags, mode);
}
int openat(int folder, const char *name, int flags, ...) {
    MODE(flags, mode)
    return open_file(folder, name, flags, mode);
}
int openat64(int folder, const char *name, int flags, ...) {
    MODE(flags, mode)
    return open_file(folder, name, flags, mode);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    enum action action = at_name(RENAME, to, new);
    if (action == FAIL) return (int)failed();
    return (int)done(action, syscall(SYS_renameat2, from, old, to, new, flags));
}
int renameat(int from, const char *old, int to, const char *new) {
    return renameat2(from, old, to, new, 0);
}
int rename(const char *old, const char *new) {
    return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

int unlinkat(int folder, const char *name, int flags) {
    enum action action = at_name(UNLINK, folder, name);
    if (action == FAIL) return (int)failed();
    return (int)done(action, syscall(SYS_unlinkat, folder, name, flags));
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }

int close(int fd) {
    enum action action = at_file(CLOSE, fd);
    long result = done(action, syscall(SYS_close, fd));
    return action == FAIL ? (int)failed() : (int)result;
}

static int cut_file(int fd, off64_t length) {
    enum action action = at_file(TRUNCATE, fd);
    if (action == FAIL) return (int)failed();
    return (int)done(action, syscall(SYS_ftruncate, fd, length));
}
int ftruncate(int fd, off_t length) { return cut_file(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut_file(fd, length); }

static int reserve(int fd, int mode, off64_t offset, off64_t length) {
    enum action action = at_file(ALLOCATE, fd);
    if (action == FAIL) return (int)failed();
    return (int)done(action, syscall(SYS_fallocate, fd, mode, offset, length));
}
int fallocate(int fd, int mode, off_t offset, off_t length) {
    return reserve(fd, mode, offset, length);
}
int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
    return reserve(fd, mode, offset, length);
}

int mkdir(const char *name, mode_t mode) {
    enum action action = at_name(MKDIR, AT_FDCWD, name);
    if (action == FAIL) return (int)failed();
    return (int)done(action, syscall(SYS_mkdirat, AT_FDCWD, name, mode));
}

#ifdef CUTTER
/* As a program (compiled with -DCUTTER): cuts the power of the file system of its argument. */
int main(int argc, char **arguments) {
    if (argc != 2) return 2;
    int fd = open(arguments[1], O_RDONLY | O_DIRECTORY);
    uint32_t how = SHUTDOWN_NO_FLUSH;
    return fd < 0 || ioctl(fd, SHUTDOWN_IOCTL, &how) != 0;
}
#endif
