/*
 * Does one thing that is kernel activity, prints what it did and to whom, and waits for the end of its input,
 * so that whoever started it can look at it and at the other process.
 *
 *     kernel ACTION [ARGUMENT]
 */
#include "trigger.h"
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

#define MEMBER(name, value) printf(", \"" name "\": %lld", (long long)(value))

static char shared_page[4096] __attribute__((aligned(4096)));

/* A child that lives as long as this process. */
static pid_t child(void)
{
    pid_t parent = getpid(), pid = (pid_t)CHECK(fork());

    if (pid == 0) {
        CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL));
        /* It may have ended before. */
        if (getppid() != parent)
            _exit(0);
        for (;;)
            pause();
    }
    return pid;
}

static void on_child(const char *action, pid_t pid)
{
    MEMBER("child", pid);
    if (strcmp(action, "ptrace") == 0) {
        MEMBER("result", CHECK(syscall(SYS_ptrace, PTRACE_SEIZE, pid, NULL, NULL)));
    } else if (strcmp(action, "signal") == 0) {
        MEMBER("result", CHECK(kill(pid, SIGURG)));
    } else if (strcmp(action, "setrlimit") == 0) {
        struct rlimit limits = {.rlim_cur = 100, .rlim_max = 200};
        MEMBER("result", CHECK(prlimit(pid, RLIMIT_NOFILE, &limits, NULL)));
    } else {
        struct iovec local = {"text", 4}, remote = {shared_page, 4};
        MEMBER("result", CHECK(process_vm_writev(pid, &local, 1, &remote, 1, 0)));
        MEMBER("address", (long)shared_page);
    }
}

static void load_program(void)
{
    /* call get_prandom_u32; r0 = 0; exit */
    struct bpf_insn code[] = {
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_prandom_u32},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr attr = {
        .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
        .insn_cnt = sizeof(code) / sizeof(code[0]),
        .insns = (unsigned long)code,
        .license = (unsigned long)"GPL",
        .prog_name = "a_program",
    };
    MEMBER("result", CHECK(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr))));
}

static void make_map(void)
{
    union bpf_attr attr = {
        .map_type = BPF_MAP_TYPE_HASH,
        .key_size = 4,
        .value_size = 4,
        .max_entries = 8,
        .map_name = "a_map",
    };
    MEMBER("result", CHECK(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr))));
}

static void map_file(const char *path)
{
    int file = (int)CHECK(open(path, O_RDONLY));
    char *mapped = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 4096);
    CHECK(mapped == MAP_FAILED ? -1 : 0);
    MEMBER("result", (long)mapped);
}

static void protect(void)
{
    char *mapped = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(mapped == MAP_FAILED ? -1 : 0);
    MEMBER("address", (long)mapped);
    MEMBER("result", CHECK(mprotect(mapped, 4096, PROT_READ | PROT_WRITE | PROT_EXEC)));
}

/* The new root is an empty file system; the old one stays below it. */
static void pivot(const char *root)
{
    char old[256];

    CHECK(unshare(CLONE_NEWNS));
    CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    CHECK(mount("none", root, "tmpfs", 0, NULL));
    snprintf(old, sizeof(old), "%s/old", root);
    CHECK(mkdir(old, 0755));
    MEMBER("result", CHECK(syscall(SYS_pivot_root, root, old)));
}

static void write_parameter(void)
{
    int file;

    CHECK(unshare(CLONE_NEWUTS));
    file = (int)CHECK(open("/proc/sys/kernel/domainname", O_WRONLY));
    CHECK(write(file, "first", 5));
    MEMBER("result", CHECK(pwrite(file, "second\n", 7, 0)));
}

static void move_child(const char *procs)
{
    pid_t pid = child();
    int file = (int)CHECK(open(procs, O_WRONLY));

    MEMBER("child", pid);
    dprintf(file, "%d", pid);
    close(file);
}

int main(int argc, char **argv)
{
    const char *action = argc > 1 ? argv[1] : "", *argument = argc > 2 ? argv[2] : "";

    REQUIRE(argc > 1, "kernel ACTION [ARGUMENT]");
    setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
    printf("{\"pid\": %d", getpid());
    if (strcmp(action, "bpf-program") == 0)
        load_program();
    else if (strcmp(action, "bpf-map") == 0)
        make_map();
    else if (strcmp(action, "mmap") == 0)
        map_file(argument);
    else if (strcmp(action, "mprotect") == 0)
        protect();
    else if (strcmp(action, "prctl") == 0)
        MEMBER("result", CHECK(prctl(PR_SET_NAME, "a-name-of-more-than-15-bytes")));
    else if (strcmp(action, "unshare") == 0)
        MEMBER("result", CHECK(unshare(CLONE_NEWUTS | CLONE_NEWIPC)));
    else if (strcmp(action, "chroot") == 0)
        MEMBER("result", CHECK(chroot("/")));
    else if (strcmp(action, "setns") == 0)
        MEMBER("result", CHECK(setns((int)CHECK(open("/proc/self/ns/uts", O_RDONLY)), CLONE_NEWUTS)));
    else if (strcmp(action, "pivot_root") == 0)
        pivot(argument);
    else if (strcmp(action, "userfaultfd") == 0)
        MEMBER("result", syscall(SYS_userfaultfd, O_CLOEXEC | 1));
    else if (strcmp(action, "userfaultfd_of_all") == 0)
        /* Also of what the kernel does for the process: all there was before 5.11. */
        MEMBER("result", syscall(SYS_userfaultfd, O_CLOEXEC));
    else if (strcmp(action, "memfd_create") == 0)
        MEMBER("result", CHECK(syscall(SYS_memfd_create, "in memory", 1U)));
    else if (strcmp(action, "io_uring_setup") == 0) {
        struct io_uring_params params = {.flags = IORING_SETUP_CLAMP};
        MEMBER("result", syscall(SYS_io_uring_setup, 4, &params));
    } else if (strcmp(action, "sysctl") == 0)
        write_parameter();
    else if (strcmp(action, "cgroup_write") == 0)
        move_child(argument);
    else
        on_child(action, child());
    printf("}\n");
    fflush(stdout);
    wait_for_end_of_input();
    return 0;
}
