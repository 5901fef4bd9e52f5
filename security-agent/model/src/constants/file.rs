//! Constants of files: modes, flags, what a file is.

use super::constants;

constants! {
    /// How a file is opened. `O_RDONLY` is 0, so test for reading with `open.flags & O_ACCMODE == O_RDONLY`.
    OPEN_FLAGS, "Open flags", {
        O_RDONLY = 0o0, O_WRONLY = 0o1, O_RDWR = 0o2, O_ACCMODE = 0o3, O_CREAT = 0o100, O_EXCL = 0o200,
        O_NOCTTY = 0o400, O_TRUNC = 0o1000, O_APPEND = 0o2000, O_NONBLOCK = 0o4000, O_NDELAY = 0o4000,
        O_DSYNC = 0o10000, O_ASYNC = 0o20000, O_NOATIME = 0o1000000, O_CLOEXEC = 0o2000000,
        O_SYNC = 0o4010000, O_FSYNC = 0o4010000, O_RSYNC = 0o4010000,
    }, x86_64 {
        O_DIRECT = 0o40000, O_DIRECTORY = 0o200000, O_NOFOLLOW = 0o400000,
    }, aarch64 {
        O_DIRECT = 0o200000, O_DIRECTORY = 0o40000, O_NOFOLLOW = 0o100000,
    };

    /// File types and permission bits.
    INODE_MODE, "File modes", {
        S_IXOTH = 0o1, S_IWOTH = 0o2, S_IROTH = 0o4, S_IRWXO = 0o7, S_IXGRP = 0o10, S_IWGRP = 0o20,
        S_IRGRP = 0o40, S_IRWXG = 0o70, S_IXUSR = 0o100, S_IWUSR = 0o200, S_IRUSR = 0o400, S_IRWXU = 0o700,
        S_ISVTX = 0o1000, S_ISGID = 0o2000, S_ISUID = 0o4000, S_IFIFO = 0o10000, S_IFCHR = 0o20000,
        S_IFDIR = 0o40000, S_IFBLK = 0o60000, S_IFREG = 0o100000, S_IFLNK = 0o120000, S_IFSOCK = 0o140000,
        S_IFMT = 0o170000,
    }, x86_64 {}, aarch64 {};

    /// Flags of `unlinkat`.
    UNLINK_FLAGS, "Unlink flags", {
        AT_REMOVEDIR = 0x200,
    }, x86_64 {}, aarch64 {};

    /// Flags of `umount2`. Names that CWS does not have.
    UMOUNT_FLAGS, "Umount flags", {
        MNT_FORCE = 0x1, MNT_DETACH = 0x2, MNT_EXPIRE = 0x4, UMOUNT_NOFOLLOW = 0x8,
    }, x86_64 {}, aarch64 {};

    /// State of a pipe buffer.
    PIPE_BUFFER_FLAGS, "Pipe buffer flags", {
        PIPE_BUF_FLAG_LRU = 0x1, PIPE_BUF_FLAG_ATOMIC = 0x2, PIPE_BUF_FLAG_GIFT = 0x4,
        PIPE_BUF_FLAG_PACKET = 0x8, PIPE_BUF_FLAG_CAN_MERGE = 0x10, PIPE_BUF_FLAG_WHOLE = 0x20,
        PIPE_BUF_FLAG_LOSS = 0x40,
    }, x86_64 {}, aarch64 {};

    /// What a file is, by its content.
    FILE_TYPE, "File types", {
        EMPTY = 0, SHELL_SCRIPT = 1, TEXT = 2, COMPRESSED = 3, ENCRYPTED = 4, BINARY = 5,
        LINUX_EXECUTABLE = 6, WINDOWS_EXECUTABLE = 7, MACOS_EXECUTABLE = 8, FILE_LESS = 9,
    }, x86_64 {}, aarch64 {};

    /// Instruction set of an executable.
    ARCHITECTURE, "Architectures", {
        UNKNOWN_ARCHITECTURE = 0, X86 = 1, X86_64 = 2, ARM = 3, ARM64 = 4,
    }, x86_64 {}, aarch64 {};

    /// Word size of an executable.
    ABI, "ABI", {
        UNKNOWN_ABI = 0, BIT32 = 1, BIT64 = 2,
    }, x86_64 {}, aarch64 {};

    /// How a file is compressed.
    COMPRESSION, "Compression types", {
        NONE = 0, GZIP = 1, ZIP = 2, ZSTD = 3, "7Z" = 4, BZIP2 = 5, XZ = 6,
    }, x86_64 {}, aarch64 {};

    /// How an executable is linked.
    LINKAGE, "Linkage types", {
        NONE = 0, STATIC = 1, DYNAMIC = 2,
    }, x86_64 {}, aarch64 {};
}
