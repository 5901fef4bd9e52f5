/* Does to files in the directory ARG what io_uring has operations for, one request after the other; prints
 * the result of each by name. Where a kernel does not have an operation, that is its result (-EINVAL). */
#include "trigger.h"

#include <linux/io_uring.h>
#include <sys/mman.h>

struct ring {
    int descriptor;
    unsigned *submission_tail, *submission_mask, *submission_array;
    unsigned *completion_head, *completion_tail, *completion_mask;
    struct io_uring_sqe *requests;
    struct io_uring_cqe *results;
};

static void *map(int descriptor, size_t size, off_t offset)
{
    return (void *)CHECK(
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor, offset));
}

static struct ring ring_open(void)
{
    struct io_uring_params parameters = {};
    struct ring ring = {};
    char *submission, *completion;

    ring.descriptor = (int)CHECK(syscall(SYS_io_uring_setup, 4, &parameters));
    submission = map(ring.descriptor, parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned),
                     IORING_OFF_SQ_RING);
    completion =
        map(ring.descriptor, parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe),
            IORING_OFF_CQ_RING);
    ring.requests =
        map(ring.descriptor, parameters.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
    ring.submission_tail = (unsigned *)(submission + parameters.sq_off.tail);
    ring.submission_mask = (unsigned *)(submission + parameters.sq_off.ring_mask);
    ring.submission_array = (unsigned *)(submission + parameters.sq_off.array);
    ring.completion_head = (unsigned *)(completion + parameters.cq_off.head);
    ring.completion_tail = (unsigned *)(completion + parameters.cq_off.tail);
    ring.completion_mask = (unsigned *)(completion + parameters.cq_off.ring_mask);
    ring.results = (struct io_uring_cqe *)(completion + parameters.cq_off.cqes);
    return ring;
}

static int ring_do(struct ring *ring, struct io_uring_sqe request)
{
    unsigned tail = *ring->submission_tail, index = tail & *ring->submission_mask, head;
    int result;

    ring->requests[index] = request;
    ring->submission_array[index] = index;
    __atomic_store_n(ring->submission_tail, tail + 1, __ATOMIC_RELEASE);
    CHECK(syscall(SYS_io_uring_enter, ring->descriptor, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0));
    head = *ring->completion_head;
    while (__atomic_load_n(ring->completion_tail, __ATOMIC_ACQUIRE) == head)
        ;
    result = ring->results[head & *ring->completion_mask].res;
    __atomic_store_n(ring->completion_head, head + 1, __ATOMIC_RELEASE);
    return result;
}

int main(int argc, char **argv)
{
    struct ring ring;
    int file;

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
