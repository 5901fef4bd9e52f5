/* Opens files in a mix from several processes and prints what was done: `open-mix DIRECTORY PROCESSES OPENS`.
 * Every fourth open is of the file `watched` in DIRECTORY, the others are of `unwatched-0` to `unwatched-9`;
 * one in a hundred is followed by a mkdir and a rmdir, in turns of a watched and an unwatched name. */
#include "trigger.h"

enum { UNWATCHED_FILES = 10, OPENS_PER_DIRECTORY = 100 };

static void run(const char *directory, long opens, int number)
{
    char unwatched[UNWATCHED_FILES][32], names[2][32];

    CHECK(chdir(directory));
    for (int i = 0; i < UNWATCHED_FILES; i++)
        snprintf(unwatched[i], sizeof(unwatched[i]), "unwatched-%d", i);
    snprintf(names[0], sizeof(names[0]), "%d/watched", number);
    snprintf(names[1], sizeof(names[1]), "%d/unwatched", number);
    char own[16];
    snprintf(own, sizeof(own), "%d", number);
    CHECK(mkdir(own, 0755));
    for (long i = 0; i < opens; i++) {
        const char *name = i % 4 ? unwatched[i % UNWATCHED_FILES] : "watched";
        close((int)CHECK(open(name, O_RDONLY | O_CLOEXEC)));
        if (i % OPENS_PER_DIRECTORY == 0) {
            const char *name = names[i / OPENS_PER_DIRECTORY % 2];
            CHECK(mkdir(name, 0755));
            CHECK(rmdir(name));
        }
    }
    CHECK(rmdir(own));
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 4, "open-mix DIRECTORY PROCESSES OPENS");
    int processes = atoi(argv[2]);
    long opens = atol(argv[3]) / processes;
    long watched = (opens + 3) / 4, directories = (opens + OPENS_PER_DIRECTORY - 1) / OPENS_PER_DIRECTORY;

    CHECK(chdir(argv[1]));
    for (int i = -1; i < UNWATCHED_FILES; i++) {
        char name[32] = "watched";
        if (i >= 0)
            snprintf(name, sizeof(name), "unwatched-%d", i);
        close((int)CHECK(open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)));
    }
    pid_t children[64];
    REQUIRE(processes > 0 && processes <= 64, "at most 64 PROCESSES");
    for (int i = 0; i < processes; i++) {
        children[i] = (pid_t)CHECK(fork());
        if (!children[i]) {
            run(argv[1], opens, i);
            exit(0);
        }
    }
    for (int i = 0; i < processes; i++)
        CHECK(wait_for(children[i]) ? -1 : 0);
    /* With the one by which `watched` was made. */
    printf("{\"watched_opens\": %ld, \"unwatched_opens\": %ld, \"watched_directories\": %ld, "
           "\"unwatched_directories\": %ld}\n",
           watched * processes + 1, (opens - watched) * processes + UNWATCHED_FILES,
           (directories + 1) / 2 * processes, (directories / 2 + 1) * processes);
    return 0;
}
