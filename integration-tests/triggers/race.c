/*
 * Opens or executes DIRECTORY/file_a or file_b many times, while a second thread changes what the path leads
 * to: by swapping the link "link" ("link"), or by rewriting the string in memory ("text"). Says of each try
 * what was really used, as the kernel tells it afterwards.
 */
#include "trigger.h"
#include <pthread.h>
#include <stdatomic.h>

static char directory[4096], path[4200];
static int by_link;
static atomic_int stop;

static void *disturb(void *unused)
{
    char next[4200], link[4200];
    volatile char *last = path + strlen(path) - 1;

    (void)unused;
    snprintf(next, sizeof(next), "%s/next", directory);
    snprintf(link, sizeof(link), "%s/link", directory);
    for (int turn = 0; !stop; turn++) {
        if (by_link) {
            CHECK(symlink(turn & 1 ? "file_a" : "file_b", next));
            CHECK(rename(next, link));
        } else {
            *last = turn & 1 ? 'a' : 'b';
        }
    }
    return NULL;
}

/* 'a' or 'b': the last letter of what a link of /proc leads to. */
static char letter_of(const char *link)
{
    char target[4200];
    long length = CHECK(readlink(link, target, sizeof(target)));

    return target[length - 1];
}

static char open_once(void)
{
    char link[64];
    int fd = (int)CHECK(open(path, O_RDONLY | O_CLOEXEC));

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    char letter = letter_of(link);
    CHECK(close(fd));
    return letter;
}

static char execute_once(pid_t *child)
{
    static char *const arguments[] = {"file", "which", NULL};
    static char *const environment[] = {NULL};

    /* The child shares this memory, so that the other thread rewrites what it executes. */
    *child = vfork();
    if (*child == 0) {
        execve(path, arguments, environment);
        _exit(1);
    }
    CHECK(*child);
    int status = wait_for(*child);
    if (!WIFEXITED(status) || (WEXITSTATUS(status) != 'a' && WEXITSTATUS(status) != 'b')) {
        fprintf(stderr, "race: a child ended with status %x\n", status);
        exit(1);
    }
    return (char)WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "which") == 0)
        return letter_of("/proc/self/exe");
    REQUIRE(argc == 5, "race open|exec link|text DIRECTORY TRIES");
    int executes = strcmp(argv[1], "exec") == 0, tries = atoi(argv[4]);
    pthread_t other;

    by_link = strcmp(argv[2], "link") == 0;
    snprintf(directory, sizeof(directory), "%s", argv[3]);
    snprintf(path, sizeof(path), "%s/%s", directory, by_link ? "link" : "file_a");
    if (pthread_create(&other, NULL, disturb, NULL) != 0)
        return 1;
    printf("{\"pid\": %d, \"used\": [", getpid());
    for (int i = 0; i < tries; i++) {
        pid_t actor = getpid();
        char letter = executes ? execute_once(&actor) : open_once();

        printf("%s[%d, \"%c\"]", i ? ", " : "", actor, letter);
    }
    stop = 1;
    pthread_join(other, NULL);
    printf("]}\n");
    return 0;
}
