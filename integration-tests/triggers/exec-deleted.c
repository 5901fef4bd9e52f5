/* Executes a file that was deleted after it was opened. */
#include "trigger.h"

int main(int argc, char **argv, char **envp)
{
    if (argc > 1 && strcmp(argv[1], "as-deleted") == 0)
        return wait_for_end_of_input(), 0;
    REQUIRE(argc == 2, "exec-deleted FILE-TO-MAKE");
    int fd = (int)CHECK(open(argv[1], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700));
    copy_self(fd);
    struct stat info;
    CHECK(fstat(fd, &info));
    /* A file that is open for writing cannot be executed. */
    CHECK(close(fd));
    fd = (int)CHECK(open(argv[1], O_RDONLY | O_CLOEXEC));
    CHECK(unlink(argv[1]));
    printf("{\"pid\": %d, \"inode\": %lu}\n", getpid(), (unsigned long)info.st_ino);
    fflush(stdout);
    char *args[] = {"deleted", "as-deleted", NULL};
    CHECK(syscall(SYS_execveat, fd, "", args, envp, AT_EMPTY_PATH));
}
