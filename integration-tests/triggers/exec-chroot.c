/* Executes a program inside another root directory. PROGRAM is a path below DIRECTORY. */
#include "trigger.h"

int main(int argc, char **argv)
{
    REQUIRE(argc >= 3, "exec-chroot DIRECTORY PROGRAM [ARGUMENT…]");
    printf("{\"pid\": %d}\n", getpid());
    fflush(stdout);
    CHECK(chroot(argv[1]));
    CHECK(chdir("/"));
    CHECK(execv(argv[2], argv + 2));
}
