/* Executes a program by vfork, whose child borrows its parent's memory until then. */
#include "trigger.h"

int main(int argc, char **argv)
{
    REQUIRE(argc >= 2, "exec-vfork PROGRAM [ARGUMENT…]");
    pid_t child = vfork();
    if (child == 0) {
        execv(argv[1], argv + 1);
        _exit(127);
    }
    CHECK(child);
    printf("{\"pid\": %d, \"child\": %d}\n", getpid(), child);
    fflush(stdout);
    wait_for(child);
    return 0;
}
