/* Repeats one small operation and prints the time that it takes: `load getppid|open|spawn COUNT`. */
#include "trigger.h"
#include <spawn.h>
#include <time.h>

static double now_ns(void)
{
    struct timespec time;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &time));
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(int argc, char **argv, char **envp)
{
    REQUIRE(argc == 3, "load getppid|open|spawn COUNT");
    const char *what = argv[1];
    long count = atol(argv[2]);
    double start = now_ns();
    for (long i = 0; i < count; i++) {
        if (*what == 'g') {
            syscall(SYS_getppid);
        } else if (*what == 'o') {
            close((int)CHECK(open("/etc/passwd", O_RDONLY | O_CLOEXEC)));
        } else {
            pid_t child;
            char *args[] = {"/bin/true", NULL};
            errno = posix_spawn(&child, args[0], NULL, NULL, args, envp);
            CHECK(errno == 0 ? 0 : -1);
            wait_for(child);
        }
    }
    printf("{\"ns\": %.1f}\n", (now_ns() - start) / (double)count);
    return 0;
}
