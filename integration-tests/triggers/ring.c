/* Does to files in the directory ARG what io_uring has operations for, one request after the other; prints
 * the result of each by name. Where a kernel does not have an operation, that is its result (-EINVAL). */
#include "ring.h"

int main(int argc, char **argv)
{
    struct ring ring;
    int file, ends[2];

    REQUIRE(argc == 2, "ring DIRECTORY");
    CHECK(chdir(argv[1]));
    ring = ring_open();
    printf("{\"pid\": %d", getpid());
    file = ring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
                                                .fd = AT_FDCWD,
                                                .addr = (unsigned long)"ring-file",
                                                .open_flags = O_RDWR | O_CREAT,
                                                .len = 0640});
    printf(", \"open\": %d", file);
    printf(", \"open_refused\": %d",
           ring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
                                                .fd = AT_FDCWD,
                                                .addr = (unsigned long)"ring-closed/new",
                                                .open_flags = O_WRONLY | O_CREAT,
                                                .len = 0600}));
    printf(", \"fallocate\": %d",
           ring_do(&ring, (struct io_uring_sqe){
                              .opcode = IORING_OP_FALLOCATE, .fd = file, .off = 0, .addr = 4096, .len = 0}));
    printf(", \"setxattr\": %d", ring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_SETXATTR,
                                                                      .addr = (unsigned long)"trusted.ring",
                                                                      .addr2 = (unsigned long)"value",
                                                                      .addr3 = (unsigned long)"ring-file",
                                                                      .len = 5}));
    printf(", \"fsetxattr\": %d",
           ring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_FSETXATTR,
                                                .fd = file,
                                                .addr = (unsigned long)"trusted.ring-f",
                                                .addr2 = (unsigned long)"other",
                                                .len = 5}));
    CHECK(pipe(ends));
    printf(", \"splice\": %d", ring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_SPLICE,
                                                                    .splice_fd_in = file,
                                                                    .splice_off_in = 0,
                                                                    .fd = ends[1],
                                                                    .off = (unsigned long long)-1,
                                                                    .len = 16}));
    printf(", \"mkdir\": %d", ring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_MKDIRAT,
                                                                   .fd = AT_FDCWD,
                                                                   .addr = (unsigned long)"ring-made",
                                                                   .len = 0750}));
    printf(", \"symlink\": %d",
           ring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_SYMLINKAT,
                                                .fd = AT_FDCWD,
                                                .addr = (unsigned long)"ring-text",
                                                .addr2 = (unsigned long)"ring-symbolic"}));
    printf(", \"link\": %d", ring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_LINKAT,
                                                                  .fd = AT_FDCWD,
                                                                  .addr = (unsigned long)"ring-file",
                                                                  .len = (unsigned)AT_FDCWD,
                                                                  .addr2 = (unsigned long)"ring-hard"}));
    printf(", \"rename\": %d", ring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_RENAMEAT,
                                                                    .fd = AT_FDCWD,
                                                                    .addr = (unsigned long)"ring-file",
                                                                    .len = (unsigned)AT_FDCWD,
                                                                    .addr2 = (unsigned long)"ring-renamed"}));
    printf(", \"unlink\": %d", ring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_UNLINKAT,
                                                                    .fd = AT_FDCWD,
                                                                    .addr = (unsigned long)"ring-renamed"}));
    printf(", \"rmdir\": %d}\n", ring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_UNLINKAT,
                                                                      .fd = AT_FDCWD,
                                                                      .addr = (unsigned long)"ring-made",
                                                                      .unlink_flags = AT_REMOVEDIR}));
    return 0;
}
