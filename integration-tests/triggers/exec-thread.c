/* Executes a program from a thread that is not the leader: the thread takes over the process id. */
#include "trigger.h"
#include <pthread.h>

static char **arguments;

static void *thread(void *unused)
{
    (void)unused;
    printf("{\"pid\": %d, \"tid_before\": %ld}\n", getpid(), syscall(SYS_gettid));
    fflush(stdout);
    CHECK(execv(arguments[0], arguments));
    return NULL;
}

int main(int argc, char **argv)
{
    REQUIRE(argc >= 2, "exec-thread PROGRAM [ARGUMENT…]");
    arguments = argv + 1;
    pthread_t other;
    if (pthread_create(&other, NULL, thread, NULL) != 0)
        return 1;
    pthread_join(other, NULL);
    return 1;
}
