/* Keeps one CPU inside bpf(2): `map-updates CPU SECONDS`. Deletes and adds the elements of a large hash map,
 * with the lowest priority, so that whatever else runs on that CPU preempts it in the middle of a call.
 * Prints the number of calls. */
#include "trigger.h"
#include <linux/bpf.h>
#include <sys/resource.h>
#include <time.h>

enum { ENTRIES = 1 << 16, VALUE = 4096 };

static long bpf(int command, union bpf_attr *attributes)
{
    return syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 3, "map-updates CPU SECONDS");
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(atoi(argv[1]), &cpus);
    CHECK(sched_setaffinity(0, sizeof(cpus), &cpus));
    CHECK(setpriority(PRIO_PROCESS, 0, 19));
    union bpf_attr attributes = {.map_type = BPF_MAP_TYPE_HASH,
                                 .key_size = 4,
                                 .value_size = VALUE,
                                 .max_entries = ENTRIES,
                                 .map_flags = BPF_F_NO_PREALLOC};
    int map = (int)CHECK(bpf(BPF_MAP_CREATE, &attributes));
    static char value[VALUE];
    time_t end = time(NULL) + atol(argv[2]);
    long calls = 0;
    for (unsigned key = 0; time(NULL) < end; key = (key + 1) % 64, calls++) {
        memset(&attributes, 0, sizeof(attributes));
        attributes.map_fd = (unsigned)map;
        attributes.key = (unsigned long)&key;
        attributes.value = (unsigned long)value;
        CHECK(bpf(BPF_MAP_UPDATE_ELEM, &attributes));
    }
    printf("{\"calls\": %ld}\n", calls);
    return 0;
}
