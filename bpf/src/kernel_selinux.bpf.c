/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Writes to the files by which SELinux is configured, at the functions that take them. */

/* security/selinux/selinuxfs.c takes less than a page; a number that counts stands at its beginning. */
#define SELINUX_TEXT_SIZE 16

/* Reads a number as the kernel's sscanf does: spaces, a minus sign, digits. False if there is none. */
static __always_inline bool selinux__parse(const char *text, __s32 *value)
{
    bool is_negative = false, has_digits = false;
    __s32 number = 0;

    for (int i = 0; i < SELINUX_TEXT_SIZE; i++) {
        char c = text[i];

        if (c >= '0' && c <= '9') {
            has_digits = true;
            number = number * 10 + (c - '0');
        } else if (has_digits || is_negative) {
            break;
        } else if (c == '-') {
            is_negative = true;
        } else if (c != ' ' && (c < '\t' || c > '\r')) {
            break;
        }
    }
    *value = is_negative ? -number : number;
    return has_digits;
}

/* uapi/asm-generic/errno-base.h */
#define EINVAL 22

static __noinline int selinux__report(__u64 file_address, __u64 text_address, __u64 size, __s64 result,
                                      __u32 what)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct selinux_body));
    struct judgement judgement = {};
    char text[SELINUX_TEXT_SIZE] = {};
    struct selinux_body *body;

    /* A number that is none is something that happens to booleans; other failures have changed nothing. */
    if (result < 0 && (what != SELINUX_BOOL || result != -EINVAL))
        return 0;
    if (!record || !judgement__begin(&judgement, KIND_SELINUX))
        return 0;
    body = &record->selinux;
    body->retval = result;
    body->what = what;
    if (size > sizeof(text) - 1)
        size = sizeof(text) - 1;
    barrier_var(size);
    if (size > sizeof(text) - 1 || bpf_probe_read_user(text, size, (void *)text_address))
        builder.errors |= ERROR_GIVEN_VALUE;
    if (!selinux__parse(text, &body->value))
        body->flags |= SELINUX_FLAG_NO_NUMBER;
    file_info__fill(&body->file, &builder, (void *)file_address, task);
    header__fill(&record->header, KIND_SELINUX, 0);
    record->header.errors = builder.errors;
    context__fill(&record->context, task);
    record__send(record, builder.used);
    return 0;
}

#define SELINUX_WRITE(function, what)                                                                        \
    AT_RETURN(#function, exit_##function, 4,                                                                 \
              WITH_SCRATCH(KIND_SELINUX, selinux__report(address_of((void *)arguments[0]), arguments[1],     \
                                                         arguments[2], (__s64)arguments[4], what)))

SELINUX_WRITE(sel_write_enforce, SELINUX_ENFORCE)
SELINUX_WRITE(sel_write_bool, SELINUX_BOOL)
SELINUX_WRITE(sel_commit_bools_write, SELINUX_COMMIT)
/* Up to 6.3. */
SELINUX_WRITE(sel_write_disable, SELINUX_DISABLE)
