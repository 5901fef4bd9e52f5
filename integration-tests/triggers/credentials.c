/* Changes one kind of credential by a system call, in a process that does nothing else; with a second
 * argument it then waits for the end of its input. */
#include "trigger.h"
#include <linux/capability.h>

/* The kernel's own calls: those of the C library act on all threads and do more than one. */
static void set_capabilities(unsigned int effective, unsigned int permitted)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{effective, permitted, 0}, {0, 0, 0}};
    CHECK(syscall(SYS_capset, &header, data));
}

int main(int argc, char **argv)
{
    REQUIRE(
        argc == 2 || argc == 3,
        "credentials setuid|setreuid|setresuid|setfsuid|setgid|setregid|setresgid|setfsgid|capset [wait]");
    const char *call = argv[1];
    long to = 65534;
    if (strcmp(call, "setuid") == 0)
        CHECK(syscall(SYS_setuid, to));
    else if (strcmp(call, "setreuid") == 0)
        CHECK(syscall(SYS_setreuid, to, 1L));
    else if (strcmp(call, "setresuid") == 0)
        CHECK(syscall(SYS_setresuid, to, 1L, 2L));
    else if (strcmp(call, "setfsuid") == 0)
        CHECK(syscall(SYS_setfsuid, to));
    else if (strcmp(call, "setgid") == 0)
        CHECK(syscall(SYS_setgid, to));
    else if (strcmp(call, "setregid") == 0)
        CHECK(syscall(SYS_setregid, to, 1L));
    else if (strcmp(call, "setresgid") == 0)
        CHECK(syscall(SYS_setresgid, to, 1L, 2L));
    else if (strcmp(call, "setfsgid") == 0)
        CHECK(syscall(SYS_setfsgid, to));
    else if (strcmp(call, "capset") == 0)
        set_capabilities(1u << CAP_KILL, 1u << CAP_KILL | 1u << CAP_CHOWN);
    else
        REQUIRE(0, "a known call");
    printf("{\"pid\": %d}\n", getpid());
    fflush(stdout);
    if (argc == 3)
        wait_for_end_of_input();
    return 0;
}
