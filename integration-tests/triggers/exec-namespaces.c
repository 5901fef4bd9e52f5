/* Executes a program as the first process of new PID, mount, network and UTS namespaces. */
#include "trigger.h"

static unsigned long namespace_of(pid_t pid, const char *kind)
{
    char path[64];
    struct stat info;
    snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, kind);
    CHECK(stat(path, &info));
    return (unsigned long)info.st_ino;
}

int main(int argc, char **argv)
{
    REQUIRE(argc >= 2, "exec-namespaces PROGRAM [ARGUMENT…]");
    int go[2];
    CHECK(pipe2(go, O_CLOEXEC));
    unsigned long flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | SIGCHLD;
    pid_t child = (pid_t)CHECK(syscall(SYS_clone, flags, 0, 0, 0, 0));
    if (child == 0) {
        char byte;
        close(go[1]);
        /* Ends when the parent has looked at the namespaces. */
        if (read(go[0], &byte, 1) < 0 || getpid() != 1)
            _exit(126);
        execv(argv[1], argv + 1);
        _exit(127);
    }
    close(go[0]);
    printf("{\"pid\": %d, \"child\": %d, \"mnt\": %lu, \"net\": %lu, \"pid_ns\": %lu}\n", getpid(), child,
           namespace_of(child, "mnt"), namespace_of(child, "net"), namespace_of(child, "pid"));
    fflush(stdout);
    close(go[1]);
    int status = wait_for(child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
