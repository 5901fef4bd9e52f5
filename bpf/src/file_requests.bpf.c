/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Operations on files that are asked for through a ring (io_uring), where programs can be at tracepoints
 * alone. A request is no system call: two tracepoints show it, one when it is taken from the ring, one when
 * its result is put there. In between the kernel lets go of its copies of the names, and another thread of
 * the process may do the work. So what is asked for is kept from the one to the other, names included; then
 * the bodies of the system calls of the same name tell it.
 *
 * Where a result is not put in the ring there is no second tracepoint: see request__is_silent().
 */

/* uapi/linux/io_uring.h */
#define IORING_OP_FALLOCATE 17
#define IORING_OP_OPENAT    18
#define IORING_OP_OPENAT2   28
#define IORING_OP_RENAMEAT  35
#define IORING_OP_UNLINKAT  36
#define IORING_OP_MKDIRAT   37
#define IORING_OP_SYMLINKAT 38
#define IORING_OP_LINKAT    39
#define IORING_OP_FTRUNCATE 55
/* The slot of a file is chosen by the kernel. */
#define IORING_FILE_INDEX_ALLOC (~0U)
/* io_uring_types.h: IOSQE_CQE_SKIP_SUCCESS */
#define REQ_F_CQE_SKIP (1 << 6)
/* IOSQE_FIXED_FILE: the number of the file is that of a slot. */
#define REQ_F_FIXED_FILE (1 << 0)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct io_rsrc_node {
    unsigned long file_ptr;
};

struct io_rsrc_data {
    unsigned int nr;
    struct io_rsrc_node **nodes;
};

/* 6.13 (a85f31052bce8): before, an array of its own. */
struct io_file_table {
    struct io_rsrc_data data;
};

struct io_fixed_file {
    unsigned long file_ptr;
};

struct io_file_table___before_6_13 {
    struct io_fixed_file *files;
};

struct io_ring_ctx___files {
    struct io_file_table file_table;
};

struct io_ring_ctx___before_6_13 {
    struct io_file_table___before_6_13 file_table;
};

struct io_cqe {
    __u64 user_data;
    __s32 res;
    /* Until there is a result. */
    int fd;
};

/* What an operation asks for lies at its beginning. */
struct io_kiocb {
    struct file *file;
    __u8 opcode;
    __u64 flags;
    struct io_cqe cqe;
    struct io_ring_ctx *ctx;
};

/* 7.0: names are copied at once and looked at later. */
struct delayed_filename {
    struct filename *__incomplete_filename;
};

struct io_open {
    int dfd;
    __u32 file_slot;
    struct filename *filename;
    struct open_how how;
};

struct io_open___delayed {
    struct delayed_filename filename;
};

struct io_mkdir {
    int dfd;
    __u16 mode;
    struct filename *filename;
};

struct io_mkdir___delayed {
    struct delayed_filename filename;
};

struct io_unlink {
    int dfd;
    int flags;
    struct filename *filename;
};

struct io_unlink___delayed {
    struct delayed_filename filename;
};

struct io_rename {
    int old_dfd;
    int new_dfd;
    struct filename *oldpath;
    struct filename *newpath;
    int flags;
};

struct io_rename___delayed {
    struct delayed_filename oldpath;
    struct delayed_filename newpath;
};

/* Of links of both kinds. */
struct io_link {
    int old_dfd;
    int new_dfd;
    struct filename *oldpath;
    struct filename *newpath;
    int flags;
};

struct io_link___delayed {
    struct delayed_filename oldpath;
    struct delayed_filename newpath;
};

/* Of fallocate: length, offset and mode. */
struct io_sync {
    __s64 len;
    __s64 off;
    int mode;
};

struct io_ftrunc {
    __s64 len;
};

#pragma clang attribute pop

struct request {
    __u64 args[6];
    __u32 form;
    /* Slot of the ring that the file is put in, plus one; 0 if it gets a descriptor. */
    __u32 file_slot;
    /* By which the result is known in the ring. */
    __u64 ring;
    __u64 user_data;
    /* The file as it was before; no form: nothing was found. */
    struct file_before before;
    union {
        __u8 texts[2][PATH_SIZE_MAX];
        /* In a union, as the skeleton knows no such long arrays elsewhere. */
        __u64 first_word;
    };
};

/* By the address of the request. LRU, so that those whose end was missed can't fill it. User space makes it
 * small where no program uses it. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 512);
    __type(key, __u64);
    __type(value, struct request);
} requests SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, SCRATCH_SLOTS);
    __type(key, __u32);
    __type(value, struct request);
} request_scratch SEC(".maps");

/* The kernel's copy of a name that a request gave. */
#define REQUEST_NAME(type, request, member)                                                                  \
    ({                                                                                                       \
        struct type *at_once = (void *)(request);                                                            \
        struct type##___delayed *later = (void *)(request);                                                  \
        bpf_core_field_exists(later->member.__incomplete_filename)                                           \
            ? BPF_CORE_READ(later, member.__incomplete_filename, name)                                       \
            : BPF_CORE_READ(at_once, member, name);                                                          \
    })

static __always_inline void request__copy_text(struct request *request, const __u32 n, const char *name)
{
    if (bpf_probe_read_kernel_str(request->texts[n], PATH_SIZE_MAX, name) < 0)
        request->texts[n][0] = 0;
}

/* Which event an operation is; 0: none of ours. */
static __always_inline __u32 request__kind(__u8 opcode, __u64 flags_of_unlink)
{
    switch (opcode) {
    case IORING_OP_OPENAT:
    case IORING_OP_OPENAT2:
    case IORING_OP_FALLOCATE:
    case IORING_OP_FTRUNCATE:
        return KIND_OPEN;
    case IORING_OP_MKDIRAT:
        return KIND_MKDIR;
    case IORING_OP_UNLINKAT:
        return flags_of_unlink & AT_REMOVEDIR ? KIND_RMDIR : KIND_UNLINK;
    case IORING_OP_RENAMEAT:
        return KIND_RENAME;
    case IORING_OP_LINKAT:
        return KIND_LINK;
    case IORING_OP_SYMLINKAT:
        return KIND_SYMLINK;
    default:
        return 0;
    }
}

static __always_inline __u32 request__kind_of(struct io_kiocb *req, __u8 opcode)
{
    return request__kind(opcode,
                         opcode == IORING_OP_UNLINKAT ? BPF_CORE_READ((struct io_unlink *)req, flags) : 0);
}

/* Whether somebody wants it, and no program at a function of the kernel tells it already. */
static __always_inline bool request__is_wanted(__u32 kind)
{
    return kind && !KIND_AT_FUNCTIONS(kind) && filter__keeps(kind) != FILTER_KEEP_NONE;
}

/* Puts what is asked for in the order of the arguments of the system call. */
static __always_inline void request__read(struct request *request, struct io_kiocb *req, __u8 opcode)
{
    struct io_open *open = (void *)req;
    struct io_mkdir *mkdir = (void *)req;
    struct io_unlink *unlink = (void *)req;
    struct io_rename *rename = (void *)req;
    struct io_link *link = (void *)req;
    struct io_sync *sync = (void *)req;

    request->file_slot = 0;
    request->before.form = FORM_NONE;
    request->texts[0][0] = 0;
    request->texts[1][0] = 0;
    switch (opcode) {
    case IORING_OP_OPENAT:
    case IORING_OP_OPENAT2:
        request->form = FORM_OPENAT;
        request->args[0] = (__s64)BPF_CORE_READ(open, dfd);
        /* The kernel adds O_LARGEFILE itself. */
        request->args[2] = BPF_CORE_READ(open, how.flags) & ~(__u64)O_LARGEFILE;
        request->args[3] = BPF_CORE_READ(open, how.mode);
        request->file_slot = BPF_CORE_READ(open, file_slot);
        request__copy_text(request, 0, REQUEST_NAME(io_open, req, filename));
        break;
    case IORING_OP_MKDIRAT:
        request->form = FORM_MKDIRAT;
        request->args[0] = (__s64)BPF_CORE_READ(mkdir, dfd);
        request->args[2] = BPF_CORE_READ(mkdir, mode);
        request__copy_text(request, 0, REQUEST_NAME(io_mkdir, req, filename));
        break;
    case IORING_OP_UNLINKAT:
        request->form = FORM_UNLINKAT;
        request->args[0] = (__s64)BPF_CORE_READ(unlink, dfd);
        request->args[2] = BPF_CORE_READ(unlink, flags);
        request__copy_text(request, 0, REQUEST_NAME(io_unlink, req, filename));
        break;
    case IORING_OP_RENAMEAT:
        request->form = FORM_RENAMEAT2;
        request->args[0] = (__s64)BPF_CORE_READ(rename, old_dfd);
        request->args[2] = (__s64)BPF_CORE_READ(rename, new_dfd);
        request->args[4] = BPF_CORE_READ(rename, flags);
        request__copy_text(request, 0, REQUEST_NAME(io_rename, req, oldpath));
        request__copy_text(request, 1, REQUEST_NAME(io_rename, req, newpath));
        break;
    case IORING_OP_LINKAT:
        request->form = FORM_LINKAT;
        request->args[0] = (__s64)BPF_CORE_READ(link, old_dfd);
        request->args[2] = (__s64)BPF_CORE_READ(link, new_dfd);
        request->args[4] = BPF_CORE_READ(link, flags);
        request__copy_text(request, 0, REQUEST_NAME(io_link, req, oldpath));
        request__copy_text(request, 1, REQUEST_NAME(io_link, req, newpath));
        break;
    case IORING_OP_SYMLINKAT:
        request->form = FORM_SYMLINKAT;
        request->args[1] = (__s64)BPF_CORE_READ(link, new_dfd);
        request__copy_text(request, 0, REQUEST_NAME(io_link, req, oldpath));
        request__copy_text(request, 1, REQUEST_NAME(io_link, req, newpath));
        break;
    case IORING_OP_FALLOCATE:
        request->form = FORM_FALLOCATE;
        request->args[0] = -1;
        request->args[1] = BPF_CORE_READ(sync, mode);
        request->args[2] = BPF_CORE_READ(sync, off);
        request->args[3] = BPF_CORE_READ(sync, len);
        break;
    case IORING_OP_FTRUNCATE:
        request->form = FORM_FTRUNCATE;
        request->args[0] = -1;
        request->args[1] = BPF_CORE_READ((struct io_ftrunc *)req, len);
        break;
    }
}

/* Puts the request in the call scratch. NULL if there is none. */
static __always_inline struct call *request__load(const struct request *request, __s64 ret)
{
    struct call *call;

    if (!call__load(request->form, ret, RECORD_FLAG_ASYNC))
        return NULL;
    call = call__scratch();
    if (!call)
        return NULL;
    for (int i = 0; i < 6; i++)
        call->args[i] = request->args[i];
    switch (request->form) {
    case FORM_RENAMEAT2:
    case FORM_LINKAT:
        call->args[3] = (__u64)request->texts[1];
        call->args[1] = (__u64)request->texts[0];
        break;
    case FORM_SYMLINKAT:
        call->args[0] = (__u64)request->texts[0];
        call->args[2] = (__u64)request->texts[1];
        break;
    case FORM_FALLOCATE:
    case FORM_FTRUNCATE:
        break;
    default:
        call->args[1] = (__u64)request->texts[0];
    }
    return call;
}

/* Looks at the file while it has not been changed. */
static __always_inline void request__remember(struct request *request)
{
    struct file_before *before;

    switch (request->form) {
    case FORM_UNLINKAT:
        if (request__load(request, 0))
            remove__remember();
        break;
    case FORM_RENAMEAT2:
        if (request__load(request, 0))
            rename__remember();
        break;
    case FORM_LINKAT:
        if (request__load(request, 0))
            link__remember();
        break;
    default:
        return;
    }
    before = file_before__find(request->form);
    if (before)
        request->before = *before;
    file_before__forget();
}

/* The file in a slot of a ring. */
static __always_inline __u64 ring__file(struct io_ring_ctx___files *ring, __u32 slot)
{
    struct io_ring_ctx___before_6_13 *older = (void *)ring;
    unsigned long file = 0;

    if (bpf_core_field_exists(ring->file_table.data.nodes)) {
        struct io_rsrc_node **nodes = BPF_CORE_READ(ring, file_table.data.nodes);
        struct io_rsrc_node *node = NULL;

        bpf_probe_read_kernel(&node, sizeof(node), &nodes[slot]);
        file = BPF_CORE_READ(node, file_ptr);
    } else {
        struct io_fixed_file *files = BPF_CORE_READ(older, file_table.files);

        bpf_probe_read_kernel(&file, sizeof(file),
                              (void *)files + (__u64)slot * bpf_core_type_size(struct io_fixed_file));
    }
    /* The lowest bits say what can be done with it. */
    return file & ~7UL;
}

/* The file that a request is about to act on, by its number. Until it is carried out it is not in the
 * request.
 */
static __always_inline __u64 request__given_file(struct io_kiocb *req)
{
    __s32 number = BPF_CORE_READ(req, cqe.fd);

    if (req->flags & REQ_F_FIXED_FILE)
        return ring__file((void *)BPF_CORE_READ(req, ctx), number);
    return (__u64)task__file((void *)bpf_get_current_task(), number);
}

/* Tells the request, of which the result is known. `file`: what it acts on, if that is a file that it was
 * given; `by_text`: what was opened is not known. */
static __always_inline void request__report(struct request *request, __s64 ret, __u64 file, bool by_text)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct call *call;

    if (!call__is_reported(ret))
        return;
    call = request__load(request, ret);
    if (!call)
        return;
    if (request->before.form != FORM_NONE)
        bpf_map_update_elem(&files_before, &thread, &request->before, BPF_ANY);
    switch (request->form) {
    case FORM_OPENAT:
        call->by_text = by_text;
        if (request->file_slot && ret >= 0 && !by_text) {
            __u32 slot = request->file_slot == IORING_FILE_INDEX_ALLOC ? ret : request->file_slot - 1;

            call->file = ring__file((void *)request->ring, slot);
            call->by_text = !call->file;
        }
        open__report_loaded(call);
        break;
    case FORM_FALLOCATE:
    case FORM_FTRUNCATE:
        call->file = file;
        open__report_loaded(call);
        break;
    case FORM_MKDIRAT:
        mkdir__report(bpf_get_current_task());
        break;
    case FORM_UNLINKAT:
        remove__report(bpf_get_current_task());
        break;
    case FORM_RENAMEAT2:
        rename__report(bpf_get_current_task());
        break;
    case FORM_LINKAT:
    case FORM_SYMLINKAT:
        link__report(bpf_get_current_task());
        break;
    }
    file_before__forget();
}

/*
 * Asked to say nothing if it succeeds: then nobody learns of the end, and it is told at the beginning, as a
 * success, by its names. If it fails, the ring says so, but the event has gone.
 */
static __always_inline bool request__is_silent(struct io_kiocb *req)
{
    return req->flags & REQ_F_CQE_SKIP;
}

static __always_inline int request__begin(struct io_kiocb *req, __u64 address, __u8 opcode)
{
    __u32 slot = scratch__slot();
    struct request *request = bpf_map_lookup_elem(&request_scratch, &slot);

    if (!request)
        return 0;
    request__read(request, req, opcode);
    request->ring = (__u64)BPF_CORE_READ(req, ctx);
    request->user_data = BPF_CORE_READ(req, cqe.user_data);
    request__remember(request);
    if (request__is_silent(req))
        request__report(request, 0, request__given_file(req), true);
    else
        /* If that fails, its end finds nothing and is counted. */
        bpf_map_update_elem(&requests, &address, request, BPF_ANY);
    return 0;
}

SEC("tp_btf/io_uring_submit_req")
int on_request(__u64 *ctx)
{
    struct io_kiocb *req = (void *)ctx[0];
    __u8 opcode = req->opcode;
    __u32 kind = request__kind_of(req, opcode);

    if (!request__is_wanted(kind) || current__is_probe())
        return 0;
    return SENDING(ctx, kind, request__begin(req, ctx[0], opcode));
}

/* The request at `address` has ended. False if its beginning is not known. */
static __always_inline bool request__end(__u64 address, __s64 ret)
{
    struct request *request = bpf_map_lookup_elem(&requests, &address);
    struct io_kiocb *req = (void *)address;

    if (!request)
        return false;
    request__report(request, ret, (__u64)BPF_CORE_READ(req, file), false);
    bpf_map_delete_elem(&requests, &address);
    return true;
}

static __always_inline int request__complete(__u64 address, __u32 kind, __s64 ret)
{
    /* Without a beginning too many were under way, or it was before the programs. */
    if (!request__end(address, ret) && request__is_wanted(kind) && call__is_reported(ret))
        losses__count(kind);
    return 0;
}

SEC("tp_btf/io_uring_complete")
int on_request_complete(__u64 *ctx)
{
    struct io_kiocb *req = (void *)ctx[1];
    __u32 kind = request__kind_of(req, BPF_CORE_READ(req, opcode));
    __s64 ret = BPF_CORE_READ(req, cqe.res);

    return kind ? SENDING(ctx, kind, request__complete(ctx[1], kind, ret)) : 0;
}

/* A result for which there is no room in the ring, by the numbers that the process knows it by. */
struct overflow {
    __u64 ring;
    __u64 user_data;
    __u64 address;
};

static long overflow__match(void *map, const __u64 *address, struct request *request,
                            struct overflow *overflow)
{
    if (request->ring != overflow->ring || request->user_data != overflow->user_data)
        return 0;
    overflow->address = *address;
    return 1;
}

SEC("tp_btf/io_uring_cqe_overflow")
int on_request_overflow(__u64 *ctx)
{
    struct overflow overflow = {.ring = ctx[0], .user_data = ctx[1]};

    bpf_for_each_map_elem(&requests, overflow__match, &overflow, 0);
    return overflow.address ? SENDING(ctx, KIND_UNKNOWN, request__end(overflow.address, (__s32)ctx[2])) : 0;
}
