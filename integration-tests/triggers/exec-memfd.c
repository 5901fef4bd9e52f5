/* Executes a program that exists in memory only: execveat on a memfd with AT_EMPTY_PATH. */
#include "trigger.h"
#include <sys/mman.h>

int main(int argc, char **argv, char **envp)
{
    if (argc > 1 && strcmp(argv[1], "as-memfd") == 0)
        return wait_for_end_of_input(), 0;
    int fd = (int)CHECK(memfd_create("cws-memfd", MFD_CLOEXEC));
    copy_self(fd);
    printf("{\"pid\": %d, \"name\": \"memfd:cws-memfd\"}\n", getpid());
    fflush(stdout);
    char *args[] = {"in-memory", "as-memfd", NULL};
    CHECK(syscall(SYS_execveat, fd, "", args, envp, AT_EMPTY_PATH));
}
