/* One process that becomes a program, which becomes another, COUNT times in all: `exec-again COUNT [done]`.
 */
#include "trigger.h"

int main(int argc, char **argv)
{
    REQUIRE(argc == 2 || argc == 3, "exec-again COUNT");
    int left = atoi(argv[1]);
    if (argc == 2) {
        printf("{\"pid\": %d, \"count\": %d}\n", getpid(), left);
        fflush(stdout);
    }
    if (left == 0)
        return 0;
    char number[16];
    snprintf(number, sizeof number, "%d", left - 1);
    char *args[] = {argv[0], number, "done", NULL};
    CHECK(execv("/proc/self/exe", args));
}
