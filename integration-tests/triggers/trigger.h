/* What every trigger needs: to stop loudly, to copy itself, to tell the truth before it becomes another
 * program. */
#ifndef TRIGGER_H
#define TRIGGER_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ends with the reason if a system call failed; else gives its result back. */
#define CHECK(call)                                                                                          \
    ({                                                                                                       \
        long result_ = (long)(call);                                                                         \
        if (result_ < 0) {                                                                                   \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, strerror(errno));                  \
            exit(1);                                                                                         \
        }                                                                                                    \
        result_;                                                                                             \
    })

#define REQUIRE(condition, usage)                                                                            \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "usage: %s\n", usage);                                                           \
            exit(2);                                                                                         \
        }                                                                                                    \
    } while (0)

/* Writes this program's own executable to `to`. */
static inline void copy_self(int to)
{
    int self = (int)CHECK(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    struct stat info;
    CHECK(fstat(self, &info));
    for (off_t done = 0; done < info.st_size;)
        CHECK(sendfile(to, self, &done, (size_t)(info.st_size - done)));
    close(self);
}

/* Waits for one child and gives its status back. */
static inline int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            CHECK(-1);
    return status;
}

/* Lets whoever started this look at it for as long as it wants to. */
static inline void wait_for_end_of_input(void)
{
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
}

#endif
