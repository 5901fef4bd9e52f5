/* Repeats one small operation and prints the time that it takes: `load getppid|open|spawn COUNT [CPU]`. On
 * one CPU, if that is given. */
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
    REQUIRE(argc == 3 || argc == 4, "load getppid|open|spawn COUNT [CPU]");
    if (argc == 4) {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET(atoi(argv[3]), &cpus);
        CHECK(sched_setaffinity(0, sizeof(cpus), &cpus));
    }
    const char *what = argv[1];
    long count = atol(argv[2]);
    double start = now_ns();
    for (long i = 0; i < count; i++) {
        if (*what == 'g') {
            syscall(SYS_getppid);
        } else if (*what == 'o') {
            close((int)CHECK(open("/etc/hostname", O_RDONLY | O_CLOEXEC)));
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
