/* Starts COUNT short processes, CONCURRENT at a time; each gets its number as its only argument. */
#include "trigger.h"
#include <spawn.h>

int main(int argc, char **argv, char **envp)
{
    REQUIRE(argc == 4, "spawn-burst COUNT CONCURRENT PROGRAM");
    int count = atoi(argv[1]), concurrent = atoi(argv[2]), running = 0, failed = 0, status;
    for (int number = 0; number < count; number++) {
        char text[16];
        snprintf(text, sizeof text, "%d", number);
        char *args[] = {argv[3], text, NULL};
        pid_t child;
        while (running >= concurrent && CHECK(wait(&status)) > 0) {
            running--;
            failed += status != 0;
        }
        errno = posix_spawn(&child, argv[3], NULL, NULL, args, envp);
        CHECK(errno == 0 ? 0 : -1);
        running++;
    }
    for (; running > 0; running--) {
        CHECK(wait(&status));
        failed += status != 0;
    }
    printf("{\"pid\": %d, \"count\": %d, \"failed\": %d}\n", getpid(), count, failed);
    return 0;
}
