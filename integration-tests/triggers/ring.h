/* A ring of io_uring, one request at a time. */
#ifndef RING_H
#define RING_H

#include "trigger.h"

#include <linux/io_uring.h>
#include <sys/mman.h>

struct ring {
    int descriptor;
    /* IORING_FEAT_* */
    unsigned features;
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

/* With room for so many requests, and twice as many results. */
static inline struct ring ring_open_for(unsigned requests)
{
    struct io_uring_params parameters = {};
    struct ring ring = {};
    char *submission, *completion;

    ring.descriptor = (int)CHECK(syscall(SYS_io_uring_setup, requests, &parameters));
    ring.features = parameters.features;
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

static inline struct ring ring_open(void)
{
    return ring_open_for(4);
}

/* Puts a request in the ring, for the next call. */
static inline void ring_put(struct ring *ring, struct io_uring_sqe request)
{
    unsigned tail = *ring->submission_tail, index = tail & *ring->submission_mask;

    ring->requests[index] = request;
    ring->submission_array[index] = index;
    __atomic_store_n(ring->submission_tail, tail + 1, __ATOMIC_RELEASE);
}

/* Hands in a request; waits for so many results. */
static inline void ring_submit(struct ring *ring, struct io_uring_sqe request, unsigned results)
{
    ring_put(ring, request);
    CHECK(syscall(SYS_io_uring_enter, ring->descriptor, 1, results, IORING_ENTER_GETEVENTS, NULL, 0));
}

/* Takes the next result from the ring. */
static inline int ring_take(struct ring *ring)
{
    unsigned head;
    int result;

    head = *ring->completion_head;
    while (__atomic_load_n(ring->completion_tail, __ATOMIC_ACQUIRE) == head)
        ;
    result = ring->results[head & *ring->completion_mask].res;
    __atomic_store_n(ring->completion_head, head + 1, __ATOMIC_RELEASE);
    return result;
}

static inline int ring_do(struct ring *ring, struct io_uring_sqe request)
{
    ring_submit(ring, request, 1);
    return ring_take(ring);
}

#endif /* RING_H */
