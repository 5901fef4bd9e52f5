#!/usr/bin/env python3
"""Gives the source of Linux 5.10 in the current directory the rules of 4.18, as far as BPF programs and what loads them meet them,
and with bpf_rules=4.15 among the kernel's parameters those of 4.15.

The verifier of 4.18 goes through fewer instructions, follows no jump backwards, keeps nothing about numbers on the stack,
compares states by all numbers, and knows neither later helpers, types of maps and programs, nor commands and attributes
of bpf(2). That of 4.15 takes no calls between functions, either, and no keys and values for maps that do not lie on the stack. System calls since 5.1, capabilities since 5.8 and types of BTF since 5.0 are taken away as well. Each edit must
find its place: a source that has changed is an error, not a kernel that forgives more.
"""

import re
import sys

VERIFIER = "kernel/bpf/verifier.c"
SYSCALL = "kernel/bpf/syscall.c"
CAPABILITY = "include/linux/capability.h"


def newest(of_4_15, of_4_18):
    """The number of the youngest one that is known."""
    return f"(bpf_rules_of_4_15 ? {of_4_15} : {of_4_18})"


HELPER_MAX = newest("BPF_FUNC_getsockopt", "BPF_FUNC_get_current_cgroup_id")
MAP_TYPE_MAX = newest("BPF_MAP_TYPE_CPUMAP", "BPF_MAP_TYPE_SOCKHASH")
PROGRAM_TYPE_MAX = newest("BPF_PROG_TYPE_CGROUP_DEVICE", "BPF_PROG_TYPE_LIRC_MODE2")
COMMAND_MAX = newest("BPF_PROG_QUERY", "BPF_TASK_FD_QUERY")

REFUSE_STACK = 'verbose(env, "variable offset on the stack\\n"); return -EACCES;'

# File, what is looked for (a regular expression that matches once), what takes its place.
EDITS = [
    # Which rules.
    ("include/linux/bpf.h", r"^struct bpf_verifier_env;\n", "extern bool bpf_rules_of_4_15;\n\\g<0>"),
    (
        SYSCALL,
        r"^DEFINE_PER_CPU\(int, bpf_prog_active\);\n",
        '\\g<0>bool bpf_rules_of_4_15;\nstatic int __init set_bpf_rules(char *version)\n'
        '{\n\tbpf_rules_of_4_15 = !strcmp(version, "4.15");\n\treturn 1;\n}\n__setup("bpf_rules=", set_bpf_rules);\n',
    ),
    # How much is looked at.
    ("include/linux/bpf.h", r"(#define BPF_COMPLEXITY_LIMIT_INSNS\s+)1000000", r"\g<1>131072"),
    (SYSCALL, r"\(bpf_capable\(\) \? BPF_COMPLEXITY_LIMIT_INSNS : BPF_MAXINSNS\)", "BPF_MAXINSNS"),
    (VERIFIER, r"(#define BPF_COMPLEXITY_LIMIT_JMP_SEQ\s+)8192", r"\g<1>1024"),
    # No loops, no pruning by what matters, a state at each place where there may be one.
    (VERIFIER, r"if \(loop_ok && env->bpf_capable\)", "if (0)"),
    (VERIFIER, r"\t\t\tif \(!rold->precise\)\n\t\t\t\treturn true;\n", ""),
    (VERIFIER, r"bool add_new_state = env->test_state_freq \? true : false;", "bool add_new_state = true;"),
    (VERIFIER, r"\t{4}add_new_state = false;\n", "\t\t\t\t;\n"),
    (VERIFIER, r"if \(sl->miss_cnt > sl->hit_cnt \* 3 \+ 3\)", "if (0)"),
    # Which way a jump goes is known of equality with a constant alone.
    (
        VERIFIER,
        r"\tif \(BPF_SRC\(insn->code\) == BPF_K\) \{(\n\t\tpred = is_branch_taken\(dst_reg, insn->imm, opcode, is_jmp32\);\n)\t\} else if",
        "\tif (is_jmp32)\n\t\treturn -EINVAL;\n"
        "\tif (BPF_SRC(insn->code) == BPF_K && (opcode == BPF_JEQ || opcode == BPF_JNE) &&\n"
        "\t    dst_reg->type == SCALAR_VALUE && tnum_is_const(dst_reg->var_off) &&\n"
        "\t    (!bpf_rules_of_4_15 || tnum_equals_const(dst_reg->var_off, insn->imm))) {\\1\t} else if (1) {\n\t} else if",
    ),
    # Numbers on the stack are forgotten, and it is reached at known places alone.
    (VERIFIER, r"register_is_bounded\(reg\) &&\s+!register_is_null\(reg\) && env->bpf_capable", "0"),
    (VERIFIER, r"!reg && !\(off % BPF_REG_SIZE\) && is_bpf_st_mem\(insn\) &&\s+insn->imm != 0 && env->bpf_capable", "0"),
    (VERIFIER, r"\(reg && register_is_null\(reg\)\) \|\|\s+\(!reg && is_bpf_st_mem\(insn\) && insn->imm == 0\)", "reg && register_is_null(reg)"),
    (VERIFIER, r"(\tbool var_off = !tnum_is_const\(reg->var_off\);\n)", r"\1\tif (var_off) { " + REFUSE_STACK.replace("\\", r"\\") + " }\n"),
    (VERIFIER, r"(\t\terr = check_stack_write_var_off\()", "\t\t" + REFUSE_STACK.replace("\\", r"\\") + r"\n\1"),
    (VERIFIER, r"(\t\tmin_off = max_off = reg->var_off\.value \+ off;\n\t\} else \{\n)", r"\1\t\t" + REFUSE_STACK.replace("\\", r"\\") + "\n"),
    # The length of a string that was read has no bounds.
    (VERIFIER, r"\(func_id != BPF_FUNC_get_stack &&\s+func_id != BPF_FUNC_probe_read_str &&\s+func_id != BPF_FUNC_probe_read_kernel_str &&\s+func_id != BPF_FUNC_probe_read_user_str\)", "func_id != BPF_FUNC_get_stack"),
    (VERIFIER, r"if \(env->subprog_cnt > 1 && !allow_tail_call_in_subprogs\(env\)\)", "if (env->subprog_cnt > 1)"),
    (VERIFIER, r"if \(insn->src_reg == BPF_PSEUDO_MAP_VALUE\) \{", "if (insn->src_reg > BPF_PSEUDO_MAP_FD)\n\t\treturn -EINVAL;\n\tif (insn->src_reg == BPF_PSEUDO_MAP_VALUE) {"),
    (VERIFIER, r"(\t/\* find function prototype \*/\n)", rf'\tif (func_id > {HELPER_MAX}) {{ verbose(env, "unknown func\\n"); return -EINVAL; }}\n\1'),
    # Of 4.15: no calls, and what maps are given lies on the stack.
    (VERIFIER, r"(insn\[i\]\.src_reg != BPF_PSEUDO_CALL\)\n\t\t\tcontinue;\n\t\tif \()(!env->bpf_capable)", r"\1bpf_rules_of_4_15 || \2"),
    (
        VERIFIER,
        r"^found:\n(?=\tif \(type == PTR_TO_BTF_ID\))",
        "\\g<0>\tif (bpf_rules_of_4_15 && type == PTR_TO_MAP_VALUE &&\n"
        "\t    (arg_type == ARG_PTR_TO_MAP_KEY || arg_type == ARG_PTR_TO_MAP_VALUE)) {\n"
        '\t\tverbose(env, "R%d type=map_value expected=fp\\\\n", regno);\n\t\treturn -EACCES;\n\t}\n',
    ),
    # bpf(2).
    (SYSCALL, r"(#define BPF_MAP_CREATE_LAST_FIELD )\w+", r"\1btf_value_type_id"),
    (SYSCALL, r"(#define\s+BPF_PROG_LOAD_LAST_FIELD )\w+", r"\1expected_attach_type"),
    (SYSCALL, r"(\terr = security_bpf\(cmd, &attr, size\);\n)", rf"\tif (cmd > {COMMAND_MAX})\n\t\treturn -EINVAL;\n\1"),
    (SYSCALL, r"(\tf_flags = bpf_get_file_flag\(attr->map_flags\);\n)(?=.*\n.*\n\n\tif \(numa_node)", rf"\tif (attr->map_type > {MAP_TYPE_MAX} || attr->map_flags & ~0x3f)\n\t\treturn -EINVAL;\n\1"),
    (SYSCALL, r"if \(CHECK_ATTR\(BPF_PROG_LOAD\)\)", f"if (CHECK_ATTR(BPF_PROG_LOAD) || type > {PROGRAM_TYPE_MAX} || attr->prog_flags & ~1)"),
    (SYSCALL, r"\*src != '_' && \*src != '\.'", "*src != '_'"),
    ("kernel/bpf/btf.c", r"if \(BTF_INFO_KIND\(t->info\) > BTF_KIND_MAX \|\|", "if (BTF_INFO_KIND(t->info) > BTF_KIND_RESTRICT ||"),
    # Capabilities.
    (CAPABILITY, r"capable\(CAP_BPF\) \|\| ", ""),
    (CAPABILITY, r"capable\(CAP_PERFMON\) \|\| ", ""),
    (CAPABILITY, r"ns_capable\(ns, CAP_CHECKPOINT_RESTORE\) \|\|\s+", ""),
    ("include/uapi/linux/capability.h", r"(#define CAP_LAST_CAP\s+)CAP_CHECKPOINT_RESTORE", r"\1CAP_AUDIT_READ"),
    # System calls of the native table since 5.1.
    ("arch/x86/entry/syscalls/syscall_64.tbl", r"(?s)^424\s.*?(?=^#|\Z)", ""),
    # What uname says.
    ("Makefile", r"VERSION = 5\nPATCHLEVEL = 10\nSUBLEVEL = \d+\n", "VERSION = 4\nPATCHLEVEL = 18\nSUBLEVEL = 0\n"),
]

for path, pattern, replacement in EDITS:
    with open(path, encoding="utf-8") as source:
        text = source.read()
    text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
    if count != 1:
        sys.exit(f"{path}: {pattern!r} was found {count} times")
    with open(path, "w", encoding="utf-8") as source:
        source.write(text)
