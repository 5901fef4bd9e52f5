/*
 * What 32-bit programs do to sockets by the one call that there is for all of it: makes two, binds one and
 * listens, connects the other, accepts, and sets an option; all by int 0x80, with the arguments in memory
 * below 4 GiB.
 */
#include "trigger.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum { SOCKET = 1, BIND, CONNECT, LISTEN, ACCEPT, GETSOCKNAME, SETSOCKOPT = 14 };

struct low {
    uint32_t arguments[6];
    struct sockaddr_in address;
    uint32_t length;
    uint32_t value;
};

static struct low *low;

static int socketcall(int call)
{
    int result = -ENOSYS;
#if defined(__x86_64__)
    asm volatile("int $0x80"
                 : "=a"(result)
                 : "a"(102), "b"(call), "c"((uint32_t)(uintptr_t)low)
                 : "memory", "r8", "r9", "r10", "r11");
#else
    (void)call;
#endif
    if (result < 0) {
        fprintf(stderr, "socketcall %d: %s\n", call, strerror(-result));
        exit(1);
    }
    return result;
}

#define CALL(number, ...)                                                                                    \
    ({                                                                                                       \
        memcpy(low->arguments, (uint32_t[6]){__VA_ARGS__}, sizeof(low->arguments));                          \
        socketcall(number);                                                                                  \
    })
#define LOW(member) (uint32_t)(uintptr_t) & low->member

int main(void)
{
    low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (low == MAP_FAILED)
        CHECK(-1);
    low->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    low->length = sizeof(low->address);
    low->value = 1;
    uint32_t size = sizeof(low->address);
    uint32_t listener = (uint32_t)CALL(SOCKET, AF_INET, SOCK_STREAM, 0);
    CALL(SETSOCKOPT, listener, SOL_SOCKET, SO_REUSEADDR, LOW(value), 4);
    CALL(BIND, listener, LOW(address), size);
    CALL(LISTEN, listener, 1);
    CALL(GETSOCKNAME, listener, LOW(address), LOW(length));
    int port = ntohs(low->address.sin_port);
    uint32_t client = (uint32_t)CALL(SOCKET, AF_INET, SOCK_STREAM, 0);
    CALL(CONNECT, client, LOW(address), size);
    CALL(GETSOCKNAME, client, LOW(address), LOW(length));
    int peer = ntohs(low->address.sin_port);
    int accepted = CALL(ACCEPT, listener, 0, 0);
    printf("{\"pid\": %d, \"port\": %d, \"peer\": %d, \"accepted\": %d}\n", getpid(), port, peer, accepted);
    return 0;
}
