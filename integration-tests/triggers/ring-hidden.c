/* Asks a ring for operations in the directory ARG in ways that leave little to be seen of them; prints what
 * it has done. */
#include "ring.h"

#include <unistd.h>

/* As deep as the ring of results is in ring_open(). */
#define RESULTS 8

int main(int argc, char **argv)
{
    int no_files[4] = {-1, -1, -1, -1};
    char name[] = "hidden-before";
    struct ring ring;
    int unlinks;

    REQUIRE(argc == 2, "ring-hidden DIRECTORY");
    CHECK(chdir(argv[1]));
    ring = ring_open();
    printf("{\"pid\": %d", getpid());

    /* Without a descriptor: the file is put in a slot of the ring, chosen here and by the kernel. */
    CHECK(syscall(SYS_io_uring_register, ring.descriptor, IORING_REGISTER_FILES, no_files, 4));
    printf(", \"slot\": %d", ring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
                                                                  .fd = AT_FDCWD,
                                                                  .addr = (unsigned long)"hidden-slot-link",
                                                                  .open_flags = O_RDONLY,
                                                                  .file_index = 3}));
    printf(", \"any_slot\": %d",
           ring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
                                                .fd = AT_FDCWD,
                                                .addr = (unsigned long)"hidden-any-slot",
                                                .open_flags = O_RDONLY,
                                                .file_index = IORING_FILE_INDEX_ALLOC}));

    /* A name that is written over as soon as the request was taken, for work that a thread of the kernel does
     * later. */
    ring_submit(&ring,
                (struct io_uring_sqe){.opcode = IORING_OP_MKDIRAT,
                                      .flags = IOSQE_ASYNC,
                                      .fd = AT_FDCWD,
                                      .addr = (unsigned long)name,
                                      .len = 0700},
                0);
    memcpy(name, "hidden-after!", sizeof(name) - 1);
    printf(", \"rewritten\": %d", ring_take(&ring));

    /* Of whose success there is no result (5.17). */
    if (ring.features & IORING_FEAT_CQE_SKIP) {
        ring_submit(&ring,
                    (struct io_uring_sqe){.opcode = IORING_OP_UNLINKAT,
                                          .flags = IOSQE_CQE_SKIP_SUCCESS,
                                          .fd = AT_FDCWD,
                                          .addr = (unsigned long)"hidden-silent"},
                    0);
        ring_submit(&ring,
                    (struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
                                          .flags = IOSQE_CQE_SKIP_SUCCESS,
                                          .fd = AT_FDCWD,
                                          .addr = (unsigned long)"hidden-silent-open",
                                          .open_flags = O_RDONLY},
                    0);
        while (access("hidden-silent", F_OK) == 0)
            usleep(1000);
    }
    printf(", \"silent\": %d", ring.features & IORING_FEAT_CQE_SKIP ? 0 : -EOPNOTSUPP);

    /* For whose result there is no room. Before 5.11 there is no such request. */
    unlinks = ring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_UNLINKAT,
                                                   .fd = AT_FDCWD,
                                                   .addr = (unsigned long)"hidden-nothing"});
    for (int i = 0; i < RESULTS; i++)
        ring_submit(&ring, (struct io_uring_sqe){.opcode = IORING_OP_NOP}, 0);
    ring_submit(&ring,
                (struct io_uring_sqe){.opcode = IORING_OP_UNLINKAT,
                                      .fd = AT_FDCWD,
                                      .addr = (unsigned long)"hidden-overflow",
                                      .user_data = 7},
                0);
    while (unlinks == -ENOENT && access("hidden-overflow", F_OK) == 0)
        usleep(1000);
    printf(", \"overflow\": %d}\n", unlinks == -ENOENT ? 0 : unlinks);
    return 0;
}
