#!/usr/bin/env python3
"""Gives a file of the types of Linux 5.10 (BTF) the names and shapes that 4.18 or 4.15 has where the programs meet them.

Offsets stay as they are, so with the result programs can be loaded, which shows that each finds the members that there are,
but not run: what they read there is something else.

    old_types.py 4.18|4.15 FROM TO
"""

import struct
import sys

INT, PTR, ARRAY, STRUCT, UNION, ENUM = 1, 2, 3, 4, 5, 6
# After the common 12 bytes.
EXTRA = {INT: 4, ARRAY: 12, 14: 4, 17: 4}
PER_ENTRY = {STRUCT: 12, UNION: 12, ENUM: 8, 13: 8, 15: 12, 19: 12}

# struct: {member of 5.10: member of 4.18}
MEMBERS = {
    "task_struct": {"thread_pid": "not_yet_1", "pid_links": "pids", "start_boottime": "real_start_time", "io_uring": "not_yet_2"},
    "signal_struct": {"pids": "not_yet_3"},
    "xarray": {"xa_head": "rnode"},
    "pipe_inode_info": {"head": "nrbufs", "tail": "curbuf", "ring_size": "buffers", "max_usage": "not_yet_4"},
    "linux_binprm": {"executable": "not_yet_5"},
}
# What came between the two.
MEMBERS_SINCE_4_15 = {
    "idr": {"idr_base": "not_yet_6"},
    "bpf_prog": {"expected_attach_type": "not_yet_7"},
}
STRUCTS = {"xarray": "radix_tree_root", "xa_node": "radix_tree_node", "bpf_link": "not_yet_link", "bpf_link_ops": "not_yet_link_ops"}


def main(version, source, target):
    if version == "4.15":
        MEMBERS.update(MEMBERS_SINCE_4_15)
    with open(source, "rb") as file:
        data = bytearray(file.read())
    header, = struct.unpack_from("<I", data, 4)
    type_offset, type_length, string_offset, string_length = struct.unpack_from("<4I", data, 8)
    types = data[header + type_offset : header + type_offset + type_length]
    strings = data[header + string_offset : header + string_offset + string_length]

    def name_of(offset):
        return strings[offset : strings.index(0, offset)].decode()

    def add_name(name):
        offset = len(strings)
        strings.extend(name.encode() + b"\0")
        return offset

    ids, places, at, number = {}, {}, 0, 1
    while at < len(types):
        name, info, _ = struct.unpack_from("<3I", types, at)
        kind, entries = info >> 24 & 0x1F, info & 0xFFFF
        ids.setdefault((kind, name_of(name)), number)
        places[number] = at
        at += 12 + EXTRA.get(kind, 0) + entries * PER_ENTRY.get(kind, 0)
        number += 1
    added = bytearray()

    def add(kind, name, entries, size_or_type, rest):
        nonlocal number
        added.extend(struct.pack("<3I", add_name(name) if name else 0, kind << 24 | entries, size_or_type) + rest)
        number += 1
        return number - 1

    def member(name, of, bits):
        return struct.pack("<3I", add_name(name), of, bits)

    unsigned = ids[INT, "unsigned int"]
    pointer = add(PTR, "", 0, ids[STRUCT, "pid"], b"")
    link = add(STRUCT, "pid_link", 2, 24, member("node", ids[STRUCT, "hlist_node"], 0) + member("pid", pointer, 128))
    links = add(ARRAY, "", 0, 0, struct.pack("<3I", link, unsigned, 3))
    parts = add(STRUCT, "", 2, 8, member("ino", unsigned, 0) + member("generation", unsigned, 32))
    node_id = add(UNION, "kernfs_node_id", 1, 8, struct.pack("<3I", 0, parts, 0))
    new_types = {("task_struct", "pid_links"): links, ("task_struct", "self_exec_id"): unsigned, ("kernfs_node", "id"): node_id}

    # What 4.18 has not may be left out of the kernel already.
    wanted = {(name, old) for name, members in MEMBERS.items() for old, new in members.items() if "not_yet" not in new}
    wanted |= set(new_types)
    for name in set(MEMBERS) | {name for name, _ in new_types}:
        at = places[ids[STRUCT, name]]
        entries = struct.unpack_from("<I", types, at + 4)[0] & 0xFFFF
        for entry in range(at + 12, at + 12 + entries * 12, 12):
            old = name_of(struct.unpack_from("<I", types, entry)[0])
            if (name, old) in new_types:
                struct.pack_into("<I", types, entry + 4, new_types[name, old])
            if old in MEMBERS.get(name, {}):
                struct.pack_into("<I", types, entry, add_name(MEMBERS[name][old]))
            wanted.discard((name, old))
    if wanted:
        sys.exit(f"{source}: without {sorted(wanted)}")
    for name, new in STRUCTS.items():
        struct.pack_into("<I", types, places[ids[STRUCT, name]], add_name(new))

    types += added
    out = bytearray(data[:header])
    struct.pack_into("<4I", out, 8, 0, len(types), len(types), len(strings))
    with open(target, "wb") as file:
        file.write(out + types + strings)


main(*sys.argv[1:])
