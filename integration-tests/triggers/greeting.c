/* Connects to a Unix socket and opens an HTTP/2 conversation: how many bytes does the server answer? */
#include "trigger.h"
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
    REQUIRE(argc == 2 && strlen(argv[1]) < sizeof(((struct sockaddr_un *)0)->sun_path), "greeting SOCKET");
    /* What a client says first, and its settings: none. */
    static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, argv[1]);
    struct timeval patience = {.tv_sec = 3};
    char answer[256];

    signal(SIGPIPE, SIG_IGN);
    int fd = (int)CHECK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience));
    int connected = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    long bytes = 0;
    if (connected && write(fd, hello, sizeof hello - 1) > 0)
        bytes = read(fd, answer, sizeof answer);
    printf("{\"connected\": %s, \"bytes\": %ld}\n", connected ? "true" : "false", bytes > 0 ? bytes : 0);
    return 0;
}
