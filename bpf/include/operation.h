/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What hooks see of one operation on names. Three of them see it, one after the other: the security hook is
 * given the directory as the caller reached it (mount included) and the name; the function of the file
 * system layer tells the outcome while all of these are still held; and the function around both tells of
 * what was refused before there was an object.
 */
#ifndef OPERATION_H
#define OPERATION_H

#define OPERATION_SEEN     1
#define OPERATION_REPORTED 2

struct operation {
    /* Addresses of struct mount and struct dentry. */
    __u64 mount;
    __u64 dentry;
    /* Of rename and link: the new name. */
    __u64 destination;
    /* The directory of the name; of rename: of the old one, and that of the new one. */
    __u64 parent;
    __u64 destination_parent;
    /* What the hook was told beside: a mode, flags, the address of a string. */
    __u64 argument;
    /* FORM_*, RECORD_FLAG_*, OPERATION_* */
    __u32 form;
    __u32 record_flags;
    __u32 state;
    /* Of rename: the old name, in old_names. */
    __u32 name_length;
};

struct old_name {
    __u8 text[NAME_SIZE_MAX + 9];
};

/* By thread. LRU, so that operations whose end was missed can't fill them. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, __u64);
    __type(value, struct operation);
} operations SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 2048);
    __type(key, __u64);
    __type(value, struct old_name);
} old_names SEC(".maps");

/* The form of the call that a hook has told of, until its end: by thread. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, __u64);
    __type(value, __u32);
} calls_reported SEC(".maps");

/* Of a request of a ring there is no end that anybody waits for. */
static __always_inline void reported__set(__u32 form, __u32 record_flags)
{
    __u64 thread = bpf_get_current_pid_tgid();

    if (!(record_flags & RECORD_FLAG_ASYNC))
        bpf_map_update_elem(&calls_reported, &thread, &form, BPF_ANY);
}

static __always_inline bool reported__take(__u32 form)
{
    __u64 thread = bpf_get_current_pid_tgid();
    __u32 *reported = bpf_map_lookup_elem(&calls_reported, &thread);
    bool is_taken = reported && *reported == form;

    if (reported)
        bpf_map_delete_elem(&calls_reported, &thread);
    return is_taken;
}

/* A pointer as a number. Where the verifier knows its type it does not take it for one; read back from the
 * stack it has none. */
static __always_inline __u64 address_of(const void *pointer)
{
    const void *stored = pointer;
    __u64 address = 0;

    bpf_probe_read_kernel(&address, sizeof(address), &stored);
    return address;
}

static __always_inline __u64 path__mount(const struct path *path)
{
    return (__u64)vfsmount__mount(BPF_CORE_READ(path, mnt));
}

static __always_inline void operation__begin(const struct operation *operation)
{
    __u64 thread = bpf_get_current_pid_tgid();

    bpf_map_update_elem(&operations, &thread, operation, BPF_ANY);
}

/* The operation of this thread of which no outcome is known yet; NULL if there is none. */
static __always_inline struct operation *operation__find(void)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct operation *operation = bpf_map_lookup_elem(&operations, &thread);

    return operation && operation->state == OPERATION_SEEN ? operation : NULL;
}

/*
 * The name of an operation that is done although no outcome was seen: some compilers have put the function of
 * the file system layer into the one around it, where no program can be; and a kernel that can be preempted
 * leaves out a program that is in the middle of another run on the same processor. 0 if it was seen, or if
 * the name is no longer what it was: nothing holds it any more.
 */
static __always_inline __u64 operation__untold(__s64 ret)
{
    struct operation *operation = operation__find();
    struct dentry *name;

    if (ret < 0 || !operation)
        return 0;
    name = (void *)(operation->destination ? operation->destination : operation->dentry);
    return (__u64)BPF_CORE_READ(name, d_parent) == operation->parent ? (__u64)name : 0;
}

/* Ends it. True if it is to be reported now, by its text: refused before there was an object, or see above.
 */
static __always_inline bool operation__end(__s64 ret)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct operation *operation = bpf_map_lookup_elem(&operations, &thread);
    bool is_reported = operation && operation->state == OPERATION_REPORTED;

    if (operation)
        bpf_map_delete_elem(&operations, &thread);
    return !is_reported && call__is_reported(ret);
}

static __always_inline struct object object__found(__u64 dentry, __u64 mount)
{
    return (struct object){.dentry = dentry, .mount = mount, .status = WALK_FOUND};
}

/* A name in a directory, whatever is or was behind it. */
static __always_inline struct object object__named(__u64 dentry_address, __u64 mount)
{
    struct dentry *dentry = (void *)dentry_address;
    struct qstr name = BPF_CORE_READ(dentry, d_name);

    return (struct object){.dentry = (__u64)BPF_CORE_READ(dentry, d_parent),
                           .mount = mount,
                           .name = (__u64)name.name,
                           .name_length = name.len,
                           .status = WALK_NAMED};
}

/* What is behind a name, or the name if nothing is. */
static __always_inline struct object object__of(__u64 dentry_address, __u64 mount)
{
    struct dentry *dentry = (void *)dentry_address;

    if (BPF_CORE_READ(dentry, d_inode))
        return object__found(dentry_address, mount);
    return object__named(dentry_address, mount);
}

/* Remembers what the object is before the operation. */
static __always_inline void operation__remember(const struct operation *operation, __u64 dentry)
{
    struct call *call = call__scratch();
    struct walk *walk = walk__scratch();

    if (!call || !walk)
        return;
    call->objects[0] = object__found(dentry, operation->mount);
    if (file_event__take_object(call, 0))
        file_before__remember(walk, operation->form, 0);
}

/* Puts the operation in the call scratch, to be reported. NULL if that outcome is not. */
static __always_inline struct call *operation__outcome(struct operation *operation, __s64 ret)
{
    if (!call__is_reported(ret) || !call__load(operation->form, ret, operation->record_flags))
        return NULL;
    operation->state = OPERATION_REPORTED;
    return call__scratch();
}

/* A program at the end of a function of the file system layer: which of its arguments is the name, and how
 * many there are, depends on the kernel. */
#define VFS_EXIT(kind, family, function, variant, dentry_argument, count)                                    \
    AT_RETURN(#function, exit_##function##_##variant, count,                                                 \
              WITH_SCRATCH(kind, family##__outcome(address_of((void *)arguments[dentry_argument]),           \
                                                   (__s32)arguments[count])))

/* A program at the end of the function around: its result follows its arguments. */
#define OPERATION_EXIT(kind, family, function, count)                                                        \
    AT_RETURN(#function, exit_##function, count,                                                             \
              WITH_SCRATCH(kind, family##__end(arguments, (__s32)arguments[count])))

#endif /* OPERATION_H */
