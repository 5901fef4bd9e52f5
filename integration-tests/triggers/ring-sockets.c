/* Does to sockets what io_uring has operations for, one request after the other; prints the result of each by
 * name, and the ports. ARG is the path of a Unix socket, and of one that nobody listens at. */
#include "ring.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#define OP_BIND 56

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int port_of(int socket)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);

    CHECK(getsockname(socket, (struct sockaddr *)&address, &size));
    return ntohs(address.sin_port);
}

static int ring_connect(struct ring *ring, int socket, const void *address, socklen_t size)
{
    return ring_do(
        ring, (struct io_uring_sqe){
                  .opcode = IORING_OP_CONNECT, .fd = socket, .addr = (unsigned long)address, .off = size});
}

int main(int argc, char **argv)
{
    struct sockaddr_un there = {.sun_family = AF_UNIX}, nobody = {.sun_family = AF_UNIX};
    struct sockaddr_in address = loopback(0), udp = loopback(5353);
    int listener, client, bound, unix_listener;
    struct ring ring;

    REQUIRE(argc == 3, "ring-sockets SOCKET NO-SOCKET");
    strncpy(there.sun_path, argv[1], sizeof(there.sun_path) - 1);
    strncpy(nobody.sun_path, argv[2], sizeof(nobody.sun_path) - 1);
    ring = ring_open();
    printf("{\"pid\": %d", getpid());

    listener = (int)CHECK(socket(AF_INET, SOCK_STREAM, 0));
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof(address)));
    CHECK(listen(listener, 4));
    address = loopback(port_of(listener));
    client = (int)CHECK(socket(AF_INET, SOCK_STREAM, 0));
    printf(", \"port\": %d, \"tcp\": %d", port_of(listener),
           ring_connect(&ring, client, &address, sizeof(address)));
    printf(", \"client_port\": %d, \"accept\": %d", port_of(client),
           ring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_ACCEPT, .fd = listener}));

    client = (int)CHECK(socket(AF_INET, SOCK_DGRAM, 0));
    printf(", \"udp\": %d", ring_connect(&ring, client, &udp, sizeof(udp)));

    unix_listener = (int)CHECK(socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK(bind(unix_listener, (struct sockaddr *)&there, sizeof(there)));
    CHECK(listen(unix_listener, 4));
    client = (int)CHECK(socket(AF_UNIX, SOCK_STREAM, 0));
    printf(", \"unix\": %d", ring_connect(&ring, client, &there, sizeof(there)));
    CHECK(bind((int)CHECK(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr *)&nobody, sizeof(nobody)));
    client = (int)CHECK(socket(AF_UNIX, SOCK_STREAM, 0));
    printf(", \"refused\": %d", ring_connect(&ring, client, &nobody, sizeof(nobody)));

    bound = (int)CHECK(socket(AF_INET, SOCK_STREAM, 0));
    address = loopback(0);
    printf(", \"bind\": %d", ring_do(&ring, (struct io_uring_sqe){.opcode = OP_BIND,
                                                                  .fd = bound,
                                                                  .addr = (unsigned long)&address,
                                                                  .addr2 = sizeof(address)}));
    printf(", \"bound_port\": %d}\n", port_of(bound));
    return 0;
}
