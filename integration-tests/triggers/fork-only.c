/* A child that never executes a program, and ends with status 9 once its parent's standard input has ended.
 */
#include "trigger.h"

int main(void)
{
    pid_t child = (pid_t)CHECK(fork());
    if (child == 0) {
        wait_for_end_of_input();
        _exit(9);
    }
    printf("{\"pid\": %d, \"child\": %d}\n", getpid(), child);
    fflush(stdout);
    wait_for(child);
    return 0;
}
