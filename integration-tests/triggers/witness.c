/* Lives until its standard input ends, so that whoever started it can look at it; then ends with status 7. */
#include "trigger.h"

int main(void)
{
    wait_for_end_of_input();
    return 7;
}
