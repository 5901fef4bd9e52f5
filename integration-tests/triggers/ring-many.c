/* Has ARG2 directories made in the directory ARG1 by requests of one ring that are all under way at one time.
 */
#include "ring.h"

#include <poll.h>
#include <unistd.h>

#define MOST 1000

int main(int argc, char **argv)
{
    static char names[MOST][16];
    struct ring ring;
    int count, ends[2], made = 0;

    REQUIRE(argc == 3, "ring-many DIRECTORY COUNT");
    count = atoi(argv[2]);
    REQUIRE(count > 0 && count <= MOST, "1 to 1000");
    CHECK(chdir(argv[1]));
    CHECK(pipe(ends));
    ring = ring_open_for(MOST + 1);
    /* What all of them wait for. */
    ring_put(&ring,
             (struct io_uring_sqe){.opcode = IORING_OP_POLL_ADD, .fd = ends[0], .poll32_events = POLLIN});
    for (int i = 0; i < count; i++) {
        snprintf(names[i], sizeof(names[i]), "many-%d", i);
        ring_put(&ring, (struct io_uring_sqe){.opcode = IORING_OP_MKDIRAT,
                                              .flags = IOSQE_IO_DRAIN,
                                              .fd = AT_FDCWD,
                                              .addr = (unsigned long)names[i],
                                              .len = 0700,
                                              .user_data = i});
    }
    CHECK(syscall(SYS_io_uring_enter, ring.descriptor, count + 1, 0, 0, NULL, 0));
    CHECK(write(ends[1], "x", 1));
    CHECK(syscall(SYS_io_uring_enter, ring.descriptor, 0, count + 1, IORING_ENTER_GETEVENTS, NULL, 0));
    for (int i = 0; i < count + 1; i++)
        ring_take(&ring);
    for (int i = 0; i < count; i++)
        made += access(names[i], F_OK) == 0;
    printf("{\"pid\": %d, \"made\": %d}\n", getpid(), made);
    return 0;
}
