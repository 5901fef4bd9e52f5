/* Starts PROGRAM twice, with the arguments `first` and `second`, and both times with the same process id. */
#include "trigger.h"
#include <linux/sched.h>
#include <stdint.h>

int main(int argc, char **argv)
{
    REQUIRE(argc == 2, "reuse-pid PROGRAM");
    pid_t chosen = (pid_t)CHECK(fork());
    /* A process id that was free a moment ago is the likeliest to be free again. */
    if (chosen == 0)
        _exit(0);
    wait_for(chosen);
    const char *names[] = {"first", "second"};
    for (int i = 0; i < 2; i++) {
        struct clone_args clone = {
            .exit_signal = SIGCHLD,
            .set_tid = (uint64_t)(uintptr_t)&chosen,
            .set_tid_size = 1,
        };
        pid_t child = (pid_t)CHECK(syscall(SYS_clone3, &clone, sizeof clone));
        if (child == 0) {
            execl(argv[1], argv[1], names[i], (char *)NULL);
            _exit(127);
        }
        if (child != chosen || wait_for(child) != 0)
            return 1;
    }
    printf("{\"pid\": %d, \"reused\": %d}\n", getpid(), chosen);
    return 0;
}
