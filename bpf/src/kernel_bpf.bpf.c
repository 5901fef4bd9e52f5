/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bpf(2). Maps and programs are told from the kernel's objects behind the descriptors, so nobody can make
 * them look like others; of what was refused there is only what the caller said. The helper functions that a
 * program calls are read from the instructions in the caller's memory right after they were loaded: the
 * kernel rewrites its own copy.
 */

DEFINE_FORM_OF(bpf, BPF_CALLS)

/* uapi/linux/bpf.h: enum bpf_cmd */
#define BPF_MAP_CREATE                 0
#define BPF_MAP_GET_NEXT_KEY           4
#define BPF_PROG_LOAD                  5
#define BPF_OBJ_PIN                    6
#define BPF_OBJ_GET                    7
#define BPF_PROG_ATTACH                8
#define BPF_PROG_DETACH                9
#define BPF_PROG_TEST_RUN              10
#define BPF_PROG_GET_FD_BY_ID          13
#define BPF_MAP_GET_FD_BY_ID           14
#define BPF_OBJ_GET_INFO_BY_FD         15
#define BPF_RAW_TRACEPOINT_OPEN        17
#define BPF_MAP_LOOKUP_AND_DELETE_ELEM 21
#define BPF_MAP_FREEZE                 22
#define BPF_MAP_LOOKUP_BATCH           24
#define BPF_MAP_DELETE_BATCH           27
#define BPF_LINK_CREATE                28
#define BPF_LINK_UPDATE                29
#define BPF_PROG_BIND_MAP              35
#define BPF_INSTRUCTIONS_PER_READ      128
#define BPF_READS_PER_CALL             BOUND(64, 1)
/* For old kernels, which take no larger programs than 4,096 instructions (before 5.2): runs of the stage. */
#define BPF_CALLS_PER_PROGRAM     BOUND(8, 32)
#define BPF_HELPER_CALL           0x85
#define BPF_INSTRUCTIONS_SEEN_MAX (BPF_INSTRUCTIONS_PER_READ * BPF_READS_PER_CALL * BPF_CALLS_PER_PROGRAM)

/* union bpf_attr, as far as it is read: 32-bit words. A caller may give less, the rest is then zero. */
#define BPF_ATTR_WORDS 18

struct bpf_scratch {
    __u64 instructions[BPF_INSTRUCTIONS_PER_READ];
    __u64 helpers[BPF_HELPER_WORDS];
    __u32 attr[BPF_ATTR_WORDS];
#ifdef CWS_OLD_KERNEL
    /* Instructions that the stage has still to look at. */
    __u64 address;
    __u64 left;
    __u64 runs;
#endif
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct bpf_scratch);
} bpf_scratch SEC(".maps");

static __always_inline struct bpf_scratch *bpf__scratch(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&bpf_scratch, &zero);
}

/* Adds the helper functions that the first of `count` instructions at `address` call. As few ways as
 * possible: old verifiers go through each for each call. */
__noinline int bpf__scan_some(__u64 address, __u64 count)
{
    struct bpf_scratch *scratch = bpf__scratch();

    if (!scratch)
        return 0;
    __builtin_memset(scratch->instructions, 0, sizeof(scratch->instructions));
    if (bpf_probe_read_user(scratch->instructions, CUT(count * sizeof(__u64), sizeof(scratch->instructions)),
                            (void *)address))
        return 1;
    /* Without a branch in a turn: old verifiers follow no more than 1,024 that they still have to look at. */
    WRITTEN_OUT
    for (int i = 0; i < BPF_INSTRUCTIONS_PER_READ; i++) {
        __u64 instruction = scratch->instructions[i];
        __u64 helper = instruction >> 32;
        /* Not 0 of other instructions, of calls of functions of its own (source register 1) or of the
         * kernel's modules (2), and of helpers that nobody knows. */
        __u64 other = ((instruction & 0xf0ff) ^ BPF_HELPER_CALL) | helper >> 8;

        barrier_var(other);
        other = (other | -other) >> 63;
        barrier_var(other);
        scratch->helpers[(helper >> 6) & (BPF_HELPER_WORDS - 1)] |= (other ^ 1) << (helper & 63);
    }
    return 0;
}

_Static_assert(BPF_HELPER_WORDS * 64 == 1 << 8, "helpers are told from others by eight bits");

#ifndef CWS_OLD_KERNEL

__noinline int bpf__scan_more(__u64 address, __u64 count)
{
    for (int i = 0; i < BPF_READS_PER_CALL; i++) {
        __u64 done = (__u64)i * BPF_INSTRUCTIONS_PER_READ;

        if (done >= count)
            return 0;
        if (bpf__scan_some(address + done * sizeof(__u64), count - done))
            return 1;
    }
    return 0;
}

/* All of a program, up to a limit. Returns 0 unless something could not be read. */
__noinline int bpf__scan(__u64 address, __u64 count)
{
    for (int i = 0; i < BPF_CALLS_PER_PROGRAM; i++) {
        __u64 done = (__u64)i * BPF_READS_PER_CALL * BPF_INSTRUCTIONS_PER_READ;

        if (done >= count)
            return 0;
        if (bpf__scan_more(address + done * sizeof(__u64), count - done))
            return 1;
    }
    return 0;
}

#endif

static __always_inline void bpf_body__take_map(struct bpf_body *body, struct bpf_map *map)
{
    if (!map)
        return;
    body->map_id = BPF_CORE_READ(map, id);
    body->map_type = BPF_CORE_READ(map, map_type);
    BPF_CORE_READ_STR_INTO(&body->map_name, map, name);
}

static __always_inline void bpf_body__take_program(struct bpf_body *body, struct bpf_prog *program)
{
    if (!program)
        return;
    body->program_id = BPF_CORE_READ(program, aux, id);
    body->program_type = BPF_CORE_READ(program, type);
    /* 4.17 (5e43f899b03a) */
    if (bpf_core_field_exists(program->expected_attach_type))
        body->attach_type = BPF_CORE_READ(program, expected_attach_type);
    BPF_CORE_READ_STR_INTO(&body->program_name, program, aux, name);
    BPF_CORE_READ_INTO(&body->program_tag, program, tag);
}

/* Takes the map, or the program, or the program of the link behind a descriptor. */
static __always_inline void bpf_body__take(struct bpf_body *body, struct task_struct *task, __s32 descriptor)
{
    struct file *file = task__file(task, descriptor);

    if (!file)
        return;
    if (file__is_anonymous(file, ANONYMOUS_BPF_MAP))
        bpf_body__take_map(body, BPF_CORE_READ(file, private_data));
    else if (file__is_anonymous(file, ANONYMOUS_BPF_PROG))
        bpf_body__take_program(body, BPF_CORE_READ(file, private_data));
    else if (file__is_anonymous(file, ANONYMOUS_BPF_LINK)) {
        struct bpf_link___since_5_7 *link = BPF_CORE_READ(file, private_data);

        if (bpf_core_field_exists(link->prog))
            bpf_body__take_program(body, BPF_CORE_READ(link, prog));
    }
}

/* Indices of the words of union bpf_attr that are descriptors of the command; -1: none; and its result, which
 * is a descriptor, too. */
#define BPF_RESULT (-2)

static __always_inline int bpf__first_descriptor(__u32 cmd)
{
    if (cmd >= BPF_MAP_LOOKUP_BATCH && cmd <= BPF_MAP_DELETE_BATCH)
        return 9;
    switch (cmd) {
    case BPF_MAP_CREATE:
    case BPF_PROG_LOAD:
    case BPF_OBJ_GET:
    case BPF_PROG_GET_FD_BY_ID:
    case BPF_MAP_GET_FD_BY_ID:
        return BPF_RESULT;
    case BPF_OBJ_PIN:
    case BPF_RAW_TRACEPOINT_OPEN:
        return 2;
    case BPF_PROG_ATTACH:
    case BPF_PROG_DETACH:
    case BPF_LINK_UPDATE:
        return 1;
    case BPF_PROG_TEST_RUN:
    case BPF_OBJ_GET_INFO_BY_FD:
    case BPF_MAP_LOOKUP_AND_DELETE_ELEM:
    case BPF_MAP_FREEZE:
    case BPF_LINK_CREATE:
    case BPF_PROG_BIND_MAP:
        return 0;
    default:
        return cmd <= BPF_MAP_GET_NEXT_KEY ? 0 : -1;
    }
}

/* What the caller has said of a map or a program that it did not get. */
static __always_inline void bpf_body__take_given(struct bpf_body *body, const struct bpf_scratch *scratch)
{
    if (body->cmd == BPF_MAP_CREATE && !body->map_id) {
        body->flags |= BPF_FLAG_MAP_GIVEN;
        body->map_type = scratch->attr[0];
        __builtin_memcpy(body->map_name, &scratch->attr[7], sizeof(body->map_name));
    }
    if (body->cmd == BPF_PROG_LOAD && !body->program_id) {
        body->flags |= BPF_FLAG_PROGRAM_GIVEN;
        body->program_type = scratch->attr[0];
        body->attach_type = scratch->attr[17];
        __builtin_memcpy(body->program_name, &scratch->attr[12], sizeof(body->program_name));
    }
}

static __always_inline void bpf_body__take_helpers(struct bpf_body *body, struct builder *builder,
                                                   struct bpf_scratch *scratch)
{
    __u64 address = (__u64)scratch->attr[3] << 32 | scratch->attr[2];

    body->instructions = scratch->attr[1];
    __builtin_memset(scratch->helpers, 0, sizeof(scratch->helpers));
    if (body->instructions > BPF_INSTRUCTIONS_SEEN_MAX)
        body->flags |= BPF_FLAG_HELPERS_TRUNCATED;
#ifdef CWS_OLD_KERNEL
    struct outbox *outbox = outbox__find();

    scratch->address = address;
    scratch->left = body->instructions;
    scratch->runs = 0;
    if (outbox && body->instructions)
        outbox->work = STAGE_BPF;
#else
    if (bpf__scan(address, body->instructions))
        builder->errors |= ERROR_GIVEN_VALUE;
    __builtin_memcpy(body->helpers, scratch->helpers, sizeof(body->helpers));
#endif
}

#ifdef CWS_OLD_KERNEL

/* Looks at the next instructions of the program whose record is complete but for the helpers. */
static __always_inline void stage__bpf(void)
{
    struct bpf_scratch *scratch = bpf__scratch();
    struct record *record = record__scratch();
    struct outbox *outbox = outbox__find();
    __u64 count;

    if (!scratch || !record || !outbox)
        return;
    count = scratch->left > BPF_INSTRUCTIONS_PER_READ ? BPF_INSTRUCTIONS_PER_READ : scratch->left;
    if (bpf__scan_some(scratch->address, count)) {
        record->header.errors |= ERROR_GIVEN_VALUE;
        count = scratch->left;
    }
    scratch->address += count * sizeof(__u64);
    scratch->left -= count;
    scratch->runs++;
    if (scratch->left && scratch->runs < BPF_CALLS_PER_PROGRAM)
        return;
    __builtin_memcpy(record->bpf.helpers, scratch->helpers, sizeof(record->bpf.helpers));
    outbox->work = 0;
}

#endif

__noinline int bpf__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct bpf_scratch *scratch = bpf__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct bpf_body));
    struct filter *filter;
    struct bpf_body *body;
    __u64 size;
    int word;

    if (!call || !scratch || !record || !file_event__may_be_wanted(call, KIND_BPF, task))
        return 0;
    body = &record->bpf;
    body->cmd = call->args[0];
    filter = judgement__filter(&call->judgement);
    if (filter && !judgement__narrow(&call->judgement, filter__by_value(filter, body->cmd)))
        return 0;
    __builtin_memset(scratch->attr, 0, sizeof(scratch->attr));
    size = (__u32)call->args[2];
    if (size > sizeof(scratch->attr))
        size = sizeof(scratch->attr);
    barrier_var(size);
    if (size > sizeof(scratch->attr))
        return 0;
    if (size && bpf_probe_read_user(scratch->attr, size, (void *)call->args[1]))
        builder.errors |= ERROR_GIVEN_VALUE;
    word = bpf__first_descriptor(body->cmd);
    if (word == BPF_RESULT)
        bpf_body__take(body, task, call->ret);
    else if (word >= 0 && word < BPF_ATTR_WORDS)
        bpf_body__take(body, task, scratch->attr[word]);
    if (body->cmd == BPF_PROG_BIND_MAP)
        bpf_body__take(body, task, scratch->attr[1]);
    if (body->cmd == BPF_PROG_ATTACH || body->cmd == BPF_PROG_DETACH || body->cmd == BPF_LINK_CREATE)
        body->attach_type = scratch->attr[2];
    bpf_body__take_given(body, scratch);
    if (body->cmd == BPF_PROG_LOAD)
        bpf_body__take_helpers(body, &builder, scratch);
    file_event__send(&builder, task, KIND_BPF, call);
    return 0;
}

static __always_inline int bpf__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE || !call__is_reported(ret) || filter__keeps(KIND_BPF) == FILTER_KEEP_NONE)
        return 0;
    if (call__load(form, ret, record_flags))
        bpf__report(bpf_get_current_task());
    return 0;
}

FILE_EXIT(bpf, bpf)
