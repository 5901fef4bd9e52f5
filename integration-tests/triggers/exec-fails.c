/* Tries to execute what cannot be executed: this must be no exec event, and leave the process what it was. */
#include "trigger.h"

int main(int argc, char **argv)
{
    REQUIRE(argc == 3, "exec-fails EMPTY-FILE ABSENT-FILE");
    char *args[] = {"never", NULL};
    int as_empty = execv(argv[1], args) < 0 ? errno : 0;
    int as_absent = execv(argv[2], args) < 0 ? errno : 0;
    printf("{\"pid\": %d, \"errors\": [%d, %d]}\n", getpid(), as_empty, as_absent);
    return 0;
}
