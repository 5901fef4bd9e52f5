/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The system calls that act on files, by family: CALL(form, number on x86-64, on arm64, on i386). A form
 * stands for the order of the arguments, not for what the call does; the same form may have other numbers
 * elsewhere.
 */
#ifndef FILE_CALLS_H
#define FILE_CALLS_H

/* A call that an architecture does not have. */
#define NO -1

#define OPEN_CALLS(CALL)                                                                                     \
    CALL(OPENAT, 257, 56, 295)                                                                               \
    CALL(OPEN, 2, NO, 5)                                                                                     \
    CALL(CREAT, 85, NO, 8)                                                                                   \
    CALL(OPENAT2, 437, 437, 437)                                                                             \
    CALL(OPEN_BY_HANDLE_AT, 304, 265, 342)                                                                   \
    CALL(TRUNCATE, 76, 45, 92)                                                                               \
    CALL(FTRUNCATE, 77, 46, 93)                                                                              \
    CALL(FALLOCATE, 285, 47, NO)                                                                             \
    /* 64-bit values in two registers. */                                                                    \
    CALL(TRUNCATE64, NO, NO, 193)                                                                            \
    CALL(FTRUNCATE64, NO, NO, 194)                                                                           \
    CALL(FALLOCATE_PAIRS, NO, NO, 324)

#define MKDIR_CALLS(CALL)                                                                                    \
    CALL(MKDIR, 83, NO, 39)                                                                                  \
    CALL(MKDIRAT, 258, 34, 296)

#define REMOVE_CALLS(CALL)                                                                                   \
    CALL(RMDIR, 84, NO, 40)                                                                                  \
    CALL(UNLINK, 87, NO, 10)                                                                                 \
    CALL(UNLINKAT, 263, 35, 301)

#define RENAME_CALLS(CALL)                                                                                   \
    CALL(RENAME, 82, NO, 38)                                                                                 \
    CALL(RENAMEAT, 264, 38, 302)                                                                             \
    CALL(RENAMEAT2, 316, 276, 353)

#define LINK_CALLS(CALL)                                                                                     \
    CALL(LINK, 86, NO, 9)                                                                                    \
    CALL(LINKAT, 265, 37, 303)                                                                               \
    CALL(SYMLINK, 88, NO, 83)                                                                                \
    CALL(SYMLINKAT, 266, 36, 304)

#define CHDIR_CALLS(CALL)                                                                                    \
    CALL(CHDIR, 80, 49, 12)                                                                                  \
    CALL(FCHDIR, 81, 50, 133)

#define CHMOD_CALLS(CALL)                                                                                    \
    CALL(CHMOD, 90, NO, 15)                                                                                  \
    CALL(FCHMOD, 91, 52, 94)                                                                                 \
    CALL(FCHMODAT, 268, 53, 306)                                                                             \
    CALL(FCHMODAT2, 452, 452, 452)

#define CHOWN_CALLS(CALL)                                                                                    \
    CALL(CHOWN, 92, NO, 212)                                                                                 \
    CALL(FCHOWN, 93, 55, 207)                                                                                \
    CALL(LCHOWN, 94, NO, 198)                                                                                \
    CALL(FCHOWNAT, 260, 54, 298)                                                                             \
    /* 16-bit ids. */                                                                                        \
    CALL(CHOWN16, NO, NO, 182)                                                                               \
    CALL(FCHOWN16, NO, NO, 95)                                                                               \
    CALL(LCHOWN16, NO, NO, 16)

#define UTIMES_CALLS(CALL)                                                                                   \
    CALL(UTIME, 132, NO, NO)                                                                                 \
    CALL(UTIMES, 235, NO, NO)                                                                                \
    CALL(FUTIMESAT, 261, NO, NO)                                                                             \
    CALL(UTIMENSAT, 280, 88, 412)                                                                            \
    /* 32-bit times. */                                                                                      \
    CALL(UTIME32, NO, NO, 30)                                                                                \
    CALL(UTIMES32, NO, NO, 271)                                                                              \
    CALL(FUTIMESAT32, NO, NO, 299)                                                                           \
    CALL(UTIMENSAT32, NO, NO, 320)

#define XATTR_CALLS(CALL)                                                                                    \
    CALL(SETXATTR, 188, 5, 226)                                                                              \
    CALL(LSETXATTR, 189, 6, 227)                                                                             \
    CALL(FSETXATTR, 190, 7, 228)                                                                             \
    CALL(REMOVEXATTR, 197, 14, 235)                                                                          \
    CALL(LREMOVEXATTR, 198, 15, 236)                                                                         \
    CALL(FREMOVEXATTR, 199, 16, 237)                                                                         \
    CALL(SETXATTRAT, 463, 463, 463)                                                                          \
    CALL(REMOVEXATTRAT, 466, 466, 466)

#define MOUNT_CALLS(CALL)                                                                                    \
    CALL(MOUNT, 165, 40, 21)                                                                                 \
    CALL(FSMOUNT, 432, 432, 432)                                                                             \
    CALL(OPEN_TREE, 428, 428, 428)                                                                           \
    CALL(OPEN_TREE_ATTR, 467, 467, 467)                                                                      \
    CALL(MOVE_MOUNT, 429, 429, 429)                                                                          \
    CALL(PIVOT_ROOT, 155, 41, 217)

#define UMOUNT_CALLS(CALL)                                                                                   \
    CALL(UMOUNT, 166, 39, 52)                                                                                \
    /* Without flags. */                                                                                     \
    CALL(OLDUMOUNT, NO, NO, 22)

#define SPLICE_CALLS(CALL) CALL(SPLICE, 275, 76, 313)

#define FILE_CALLS(CALL)                                                                                     \
    OPEN_CALLS(CALL)                                                                                         \
    MKDIR_CALLS(CALL)                                                                                        \
    REMOVE_CALLS(CALL)                                                                                       \
    RENAME_CALLS(CALL)                                                                                       \
    LINK_CALLS(CALL)                                                                                         \
    CHDIR_CALLS(CALL)                                                                                        \
    CHMOD_CALLS(CALL)                                                                                        \
    CHOWN_CALLS(CALL)                                                                                        \
    UTIMES_CALLS(CALL)                                                                                       \
    XATTR_CALLS(CALL)                                                                                        \
    MOUNT_CALLS(CALL)                                                                                        \
    UMOUNT_CALLS(CALL)                                                                                       \
    SPLICE_CALLS(CALL)

enum form {
    FORM_NONE,
#define ENUMERATOR(name, x86_64, arm64, i386) FORM_##name,
    FILE_CALLS(ENUMERATOR)
#undef ENUMERATOR
};

#if defined(__TARGET_ARCH_x86)
#define NATIVE_NUMBER(x86_64, arm64) x86_64
#elif defined(__TARGET_ARCH_arm64)
#define NATIVE_NUMBER(x86_64, arm64) arm64
#endif

#define IF_NATIVE(name, x86_64, arm64, i386)                                                                 \
    if (NATIVE_NUMBER(x86_64, arm64) != NO && number == NATIVE_NUMBER(x86_64, arm64))                        \
        return FORM_##name;

#define IF_I386(name, x86_64, arm64, i386)                                                                   \
    if (i386 != NO && number == i386)                                                                        \
        return FORM_##name;

/* FORM_* of call `number` if it belongs to family CALLS, else FORM_NONE. */
#define DEFINE_FORM_OF(family, CALLS)                                                                        \
    static __always_inline __u32 family##__form(__s32 number)                                                \
    {                                                                                                        \
        CALLS(IF_NATIVE)                                                                                     \
        return FORM_NONE;                                                                                    \
    }                                                                                                        \
    static __always_inline __u32 family##__form_i386(__s32 number)                                           \
    {                                                                                                        \
        CALLS(IF_I386)                                                                                       \
        return FORM_NONE;                                                                                    \
    }

#endif /* FILE_CALLS_H */
