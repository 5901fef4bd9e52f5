/*
 * Makes system calls with exactly the arguments that it is given, one after the other, and does nothing else
 * that is an event: each of its calls is written
 *
 *     NUMBER ARGUMENT…        a call of this architecture
 *     i386 NUMBER ARGUMENT…   a 32-bit one, by int 0x80
 *
 * and separated from the next by "--". An argument is one letter and a value:
 *
 *     n…      a number
 *     s…      a string
 *     x…      bytes, in hexadecimal, by address
 *     b…      that many zero bytes, by address; they are printed in the end
 *     r3      the result of call 3 (the first is 0)
 *     p3.1    the address of the bytes that were argument 1 of call 3
 *     w3.1.4  the 32-bit word at offset 4 of these
 *     a…      a struct xattr_args that names this string as the value
 */
#include "trigger.h"
#include <stdint.h>
#include <sys/mman.h>

#define CALLS_MAX     64
#define ARGUMENTS_MAX 6
#define MEMORY_SIZE   (1 << 20)

struct argument {
    long value;
    /* Of what it points to; 0 if it is no address. */
    size_t size;
    /* The kernel fills it. */
    int is_buffer;
};

static struct argument arguments[CALLS_MAX][ARGUMENTS_MAX];
static long results[CALLS_MAX];

/* Below 4 GiB, where 32-bit pointers reach. */
static char *memory;
static size_t memory_used;

static char *take(size_t size)
{
    char *taken = memory + memory_used;

    memory_used += (size + 15) & ~15UL;
    if (memory_used > MEMORY_SIZE) {
        fprintf(stderr, "call: out of memory\n");
        exit(1);
    }
    return taken;
}

static struct argument *earlier(const char **text, int calls)
{
    char *end;
    long call = strtol(*text, &end, 10), index = strtol(end + 1, &end, 10);

    *text = end;
    REQUIRE(call >= 0 && call < calls && index >= 0 && index < ARGUMENTS_MAX, "an earlier call");
    return &arguments[call][index];
}

static struct argument parse(const char *text, int calls)
{
    struct argument argument = {0};
    const char *rest = text + 1;

    switch (text[0]) {
    case 'n':
        argument.value = (long)strtoll(rest, NULL, 0);
        break;
    case 's':
        argument.size = strlen(rest) + 1;
        argument.value = (long)memcpy(take(argument.size), rest, argument.size);
        break;
    case 'x':
        argument.size = strlen(rest) / 2;
        argument.value = (long)take(argument.size);
        for (size_t i = 0; i < argument.size; i++)
            sscanf(rest + 2 * i, "%2hhx", (unsigned char *)argument.value + i);
        break;
    case 'b':
        argument.size = strtoul(rest, NULL, 0);
        argument.value = (long)take(argument.size);
        argument.is_buffer = 1;
        break;
    case 'r':
        argument.value = results[strtol(rest, NULL, 10) % CALLS_MAX];
        break;
    case 'p':
        argument.value = earlier(&rest, calls)->value;
        break;
    case 'w': {
        struct argument *bytes = earlier(&rest, calls);
        argument.value = *(int32_t *)(bytes->value + strtol(rest + 1, NULL, 10));
        break;
    }
    case 'a': {
        uint64_t *value = (uint64_t *)take(16);
        value[0] = (uint64_t)strcpy(take(strlen(rest) + 1), rest);
        value[1] = strlen(rest);
        argument.value = (long)value;
        break;
    }
    default:
        REQUIRE(0, "an argument that begins with one of nsxbrpwa");
    }
    return argument;
}

#if defined(__x86_64__)
static long int80(long number, const struct argument *a)
{
    int result;
    /* The sixth argument is in ebp, which the compiler may need for itself. */
    register long sixth __asm__("r12") = (unsigned int)a[5].value;

    /* The kernel leaves all registers but eax alone; a 64-bit program's upper ones may be cleared. */
    __asm__ volatile("xchg %1, %%rbp\n\tint $0x80\n\txchg %1, %%rbp"
                     : "=a"(result), "+r"(sixth)
                     : "a"((int)number), "b"((int)a[0].value), "c"((int)a[1].value), "d"((int)a[2].value),
                       "S"((int)a[3].value), "D"((int)a[4].value)
                     : "memory", "r8", "r9", "r10", "r11");
    return result;
}
#endif

static long make(int is_i386, long number, const struct argument *a)
{
    long result;

#if defined(__x86_64__)
    if (is_i386)
        return int80(number, a);
#endif
    REQUIRE(!is_i386, "a call of this architecture");
    result = syscall(number, a[0].value, a[1].value, a[2].value, a[3].value, a[4].value, a[5].value);
    return result < 0 ? -errno : result;
}

static void print(int calls)
{
    const char *separator = "";

    printf("{\"pid\": %d, \"results\": [", getpid());
    for (int i = 0; i < calls; i++)
        printf("%s%ld", i ? ", " : "", results[i]);
    printf("], \"buffers\": {");
    for (int i = 0; i < calls; i++) {
        for (int j = 0; j < ARGUMENTS_MAX; j++) {
            struct argument *buffer = &arguments[i][j];

            if (!buffer->is_buffer)
                continue;
            printf("%s\"%d.%d\": \"", separator, i, j);
            for (size_t k = 0; k < buffer->size; k++)
                printf("%02x", ((unsigned char *)buffer->value)[k]);
            printf("\"");
            separator = ", ";
        }
    }
    printf("}}\n");
}

int main(int argc, char **argv)
{
    int calls = 0;

    REQUIRE(argc >= 2, "call [i386] NUMBER ARGUMENT… [-- [i386] NUMBER ARGUMENT…]…");
    memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    CHECK(memory == MAP_FAILED ? -1 : 0);
    for (int at = 1; at < argc; calls++, at++) {
        int is_i386 = strcmp(argv[at], "i386") == 0, count = 0;
        long number;

        at += is_i386;
        REQUIRE(calls < CALLS_MAX && at < argc, "a call");
        number = strtol(argv[at++], NULL, 10);
        for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
            REQUIRE(count < ARGUMENTS_MAX, "at most six arguments");
            arguments[calls][count++] = parse(argv[at], calls);
        }
        results[calls] = make(is_i386, number, arguments[calls]);
    }
    print(calls);
    return 0;
}
