/* Repeats one small operation and prints the time that it takes: `load getppid|open|spawn COUNT [CPU [PROGRAM
 * ARGUMENT…]]`. On one CPU, if that is given; what is spawned is /bin/true unless something else is given.
 * `ns` is the time that passes, `cpu_ns` that of the CPU, children included. */
#include "trigger.h"
#include <spawn.h>
#include <sys/resource.h>
#include <time.h>

static double now_ns(clockid_t clock)
{
    struct timespec time;
    CHECK(clock_gettime(clock, &time));
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double timeval_ns(struct timeval time)
{
    return (double)time.tv_sec * 1e9 + (double)time.tv_usec * 1e3;
}

static double cpu_ns(void)
{
    struct rusage children;
    CHECK(getrusage(RUSAGE_CHILDREN, &children));
    return now_ns(CLOCK_PROCESS_CPUTIME_ID) + timeval_ns(children.ru_utime) + timeval_ns(children.ru_stime);
}

int main(int argc, char **argv, char **envp)
{
    REQUIRE(argc >= 3, "load getppid|open|spawn COUNT [CPU [PROGRAM ARGUMENT...]]");
    if (argc >= 4) {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET(atoi(argv[3]), &cpus);
        CHECK(sched_setaffinity(0, sizeof(cpus), &cpus));
    }
    const char *what = argv[1];
    long count = atol(argv[2]);
    double start = now_ns(CLOCK_MONOTONIC), cpu_start = cpu_ns();
    for (long i = 0; i < count; i++) {
        if (*what == 'g') {
            syscall(SYS_getppid);
        } else if (*what == 'o') {
            close((int)CHECK(open("/etc/hostname", O_RDONLY | O_CLOEXEC)));
        } else {
            pid_t child;
            char *nothing[] = {"/bin/true", NULL}, **args = argc > 4 ? argv + 4 : nothing;
            errno = posix_spawnp(&child, args[0], NULL, NULL, args, envp);
            CHECK(errno == 0 ? 0 : -1);
            REQUIRE(wait_for(child) == 0, "what was spawned failed");
        }
    }
    double end = now_ns(CLOCK_MONOTONIC), cpu_end = cpu_ns();
    printf("{\"ns\": %.1f, \"cpu_ns\": %.1f}\n", (end - start) / (double)count,
           (cpu_end - cpu_start) / (double)count);
    return 0;
}
