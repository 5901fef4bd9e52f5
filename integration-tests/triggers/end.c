/* A child that ends with a status, and one that is ended by a signal. */
#include "trigger.h"
#include <sys/prctl.h>

int main(void)
{
    pid_t exited = (pid_t)CHECK(fork());
    if (exited == 0)
        _exit(42);
    wait_for(exited);
    pid_t killed = (pid_t)CHECK(fork());
    if (killed == 0) {
        for (;;)
            pause();
    }
    CHECK(kill(killed, SIGKILL));
    wait_for(killed);
    printf("{\"pid\": %d, \"exited\": %d, \"code\": 42, \"killed\": %d, \"signal\": %d}\n", getpid(), exited,
           killed, SIGKILL);
    return 0;
}
