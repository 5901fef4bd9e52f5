/* Attaches a filter of so many instructions to a socket. */
#include "trigger.h"
#include <linux/filter.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
    static struct sock_filter instructions[BPF_MAXINSNS];
    REQUIRE(argc == 2, "socket-filter INSTRUCTIONS");
    int count = atoi(argv[1]);
    REQUIRE(count >= 4 && count <= BPF_MAXINSNS, "4 instructions at least");
    for (int i = 0; i < count; i++)
        instructions[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
    instructions[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12);
    instructions[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x7255, 0, 0);
    struct sock_fprog program = {.len = (unsigned short)count, .filter = instructions};
    int sock = (int)CHECK(socket(AF_INET, SOCK_DGRAM, 0));
    CHECK(setsockopt(sock, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
    printf("{\"pid\": %d}\n", getpid());
    return 0;
}
