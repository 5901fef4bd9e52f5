/*
 * Does one operation on DIRECTORY/objects/a/N or DIRECTORY/objects/b/N many times, by a path that a second
 * thread changes meanwhile: by swapping the link DIRECTORY/swap/link that leads to one of the directories
 * ("link"), or by rewriting the string in memory ("text"). Says of each try which of the two it really was,
 * as the file system tells it afterwards.
 *
 *   race-names EVENT link|text DIRECTORY TRIES
 *
 * EVENT: mkdir rmdir unlink rename link symlink chmod chown utimes truncate setxattr removexattr chdir mount
 * move_mount umount
 */
#include "trigger.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define ATTRIBUTE "trusted.raced"

static char directory[4000], path[4200];
static char *letter;
static int by_link;
static atomic_int stop;

static void *disturb(void *unused)
{
    char next[4200], link[4200];

    (void)unused;
    snprintf(next, sizeof(next), "%s/swap/next", directory);
    snprintf(link, sizeof(link), "%s/swap/link", directory);
    for (int turn = 0; !stop; turn++) {
        if (by_link) {
            CHECK(symlink(turn & 1 ? "../objects/a" : "../objects/b", next));
            CHECK(rename(next, link));
        } else {
            *(volatile char *)letter = turn & 1 ? 'a' : 'b';
        }
    }
    return NULL;
}

/* The name of a try in one of the directories. */
static const char *in(char which, int number)
{
    static char names[2][4200];
    char *name = names[which == 'a'];

    snprintf(name, sizeof(names[0]), "%s/objects/%c/%d", directory, which, number);
    return name;
}

static struct stat status_of(char which, int number)
{
    struct stat status;

    memset(&status, 0, sizeof(status));
    if (lstat(in(which, number), &status) != 0)
        status.st_ino = 0;
    return status;
}

static void make_file(char which, int number)
{
    close((int)CHECK(open(in(which, number), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));
}

static int is(const char *event, const char *name)
{
    return strcmp(event, name) == 0;
}

static int mounts(const char *event)
{
    return is(event, "mount") || is(event, "move_mount") || is(event, "umount");
}

/* A mount that is attached nowhere yet. */
static int detached_mount(void)
{
    int context = (int)CHECK(fsopen("tmpfs", FSOPEN_CLOEXEC));
    int made;

    CHECK(fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    made = (int)CHECK(fsmount(context, FSMOUNT_CLOEXEC, 0));
    close(context);
    return made;
}

/* What of a file one of these events changes. */
static int is_changed(const char *event, char which, int number)
{
    struct stat status = status_of(which, number);

    if (is(event, "mkdir") || is(event, "symlink") || is(event, "link"))
        return status.st_ino != 0;
    if (is(event, "chmod"))
        return (status.st_mode & 0777) == 0640;
    if (is(event, "chown"))
        return status.st_uid == 1;
    if (is(event, "utimes"))
        return status.st_mtime == 1;
    if (is(event, "truncate"))
        return status.st_size == 7;
    if (is(event, "setxattr"))
        return lgetxattr(in(which, number), ATTRIBUTE, NULL, 0) >= 0;
    if (is(event, "removexattr"))
        return lgetxattr(in(which, number), ATTRIBUTE, NULL, 0) < 0;
    if (is(event, "chdir")) {
        struct stat here;

        CHECK(stat(".", &here));
        return here.st_dev == status.st_dev && here.st_ino == status.st_ino;
    }
    if (mounts(event)) {
        struct stat above;
        char parent[4200];

        snprintf(parent, sizeof(parent), "%s/objects", directory);
        CHECK(stat(parent, &above));
        return (status.st_dev != above.st_dev) == !is(event, "umount");
    }
    return status.st_ino == 0;
}

static void tidy(char which, int number)
{
    struct stat status = status_of(which, number);

    if (!status.st_ino)
        return;
    if (S_ISDIR(status.st_mode))
        CHECK(rmdir(in(which, number)));
    else
        CHECK(unlink(in(which, number)));
}

/* 'a' or 'b'. */
static char once(const char *event, int number)
{
    int makes = is(event, "mkdir") || is(event, "symlink") || is(event, "link");
    char other[4200], used;
    int detached = -1;

    snprintf(other, sizeof(other), "%s/objects/other-%d", directory, number);
    for (char which = 'a'; which <= 'b' && !makes; which++) {
        if (is(event, "rmdir") || is(event, "chdir") || mounts(event))
            CHECK(mkdir(in(which, number), 0700));
        else
            make_file(which, number);
        if (is(event, "removexattr"))
            CHECK(lsetxattr(in(which, number), ATTRIBUTE, "x", 1, 0));
        if (is(event, "umount"))
            CHECK(mount("raced", in(which, number), "tmpfs", 0, NULL));
    }
    if (is(event, "move_mount"))
        detached = detached_mount();
    if (is(event, "link"))
        close((int)CHECK(open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));

    if (is(event, "mkdir"))
        CHECK(mkdir(path, 0700));
    else if (is(event, "rmdir"))
        CHECK(rmdir(path));
    else if (is(event, "unlink"))
        CHECK(unlink(path));
    else if (is(event, "rename"))
        CHECK(rename(path, other));
    else if (is(event, "link"))
        CHECK(link(other, path));
    else if (is(event, "symlink"))
        CHECK(symlink("anything", path));
    else if (is(event, "chmod"))
        CHECK(chmod(path, 0640));
    else if (is(event, "chown"))
        CHECK(chown(path, 1, 1));
    else if (is(event, "utimes"))
        CHECK(utimensat(AT_FDCWD, path, (struct timespec[]){{1, 0}, {1, 0}}, 0));
    else if (is(event, "setxattr"))
        CHECK(setxattr(path, ATTRIBUTE, "x", 1, 0));
    else if (is(event, "removexattr"))
        CHECK(removexattr(path, ATTRIBUTE));
    else if (is(event, "chdir"))
        CHECK(chdir(path));
    else if (is(event, "mount"))
        CHECK(mount("raced", path, "tmpfs", 0, NULL));
    else if (is(event, "move_mount"))
        CHECK(move_mount(detached, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS));
    else if (is(event, "umount"))
        CHECK(umount2(path, 0));
    else
        CHECK(truncate(path, 7));

    used = is_changed(event, 'a', number) ? 'a' : 'b';
    if (is(event, "chdir"))
        CHECK(chdir("/"));
    if (detached >= 0)
        close(detached);
    if (mounts(event))
        CHECK(umount2(in(!is(event, "umount") == (used == 'a') ? 'a' : 'b', number), 0));
    tidy('a', number);
    tidy('b', number);
    if (is(event, "link") || is(event, "rename"))
        CHECK(unlink(other));
    return used;
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 5, "race-names EVENT link|text DIRECTORY TRIES");
    int tries = atoi(argv[4]);
    pthread_t other;
    char sub[4200];

    by_link = strcmp(argv[2], "link") == 0;
    snprintf(directory, sizeof(directory), "%s", argv[3]);
    for (int i = 0; i < 4; i++) {
        static const char *const names[] = {"swap", "objects", "objects/a", "objects/b"};

        snprintf(sub, sizeof(sub), "%s/%s", directory, names[i]);
        CHECK(mkdir(sub, 0700));
    }
    snprintf(sub, sizeof(sub), "%s/swap/link", directory);
    CHECK(symlink("../objects/a", sub));
    letter = path + snprintf(path, sizeof(path), "%s/%s/", directory, by_link ? "swap" : "objects");
    snprintf(letter, sizeof(path) - (size_t)(letter - path), "%s/", by_link ? "link" : "a");
    char *number = path + strlen(path);
    if (pthread_create(&other, NULL, disturb, NULL) != 0)
        return 1;
    printf("{\"pid\": %d, \"used\": [", getpid());
    for (int i = 0; i < tries; i++) {
        snprintf(number, sizeof(path) - (size_t)(number - path), "%d", i);
        printf("%s\"%c\"", i ? ", " : "", once(argv[1], i));
    }
    stop = 1;
    pthread_join(other, NULL);
    printf("]}\n");
    return 0;
}
