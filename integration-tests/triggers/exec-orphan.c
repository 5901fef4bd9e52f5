/* Forks twice and lets the middle process end, as daemons do; the orphan then executes a program. */
#include "trigger.h"

int main(int argc, char **argv)
{
    REQUIRE(argc >= 2, "exec-orphan PROGRAM [ARGUMENT…]");
    int done[2];
    /* Closed by the orphan's exec: that is what ends the wait below. */
    CHECK(pipe2(done, O_CLOEXEC));
    pid_t grandparent = getpid();
    pid_t parent = (pid_t)CHECK(fork());
    if (parent == 0) {
        parent = getpid();
        if (CHECK(fork()) > 0)
            _exit(0);
        while (getppid() == parent)
            usleep(1000);
        printf("{\"grandparent\": %d, \"parent\": %d, \"pid\": %d, \"adopted_by\": %d}\n", grandparent,
               parent, getpid(), getppid());
        fflush(stdout);
        execv(argv[1], argv + 1);
        _exit(127);
    }
    close(done[1]);
    wait_for(parent);
    char byte;
    CHECK(read(done[0], &byte, 1));
    return 0;
}
