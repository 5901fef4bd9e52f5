//! bpf(2), with attributes made by hand.

use proto::wire::Kind;
use proto::wire::layout::*;

use crate::*;

const MAP_CREATE: i64 = 0;
const MAP_LOOKUP: i64 = 1;
const PROG_LOAD: i64 = 5;
const OBJ_GET_INFO: i64 = 15;
const MAP_FREEZE: i64 = 22;
const ARRAY: u32 = 2;
const SOCKET_FILTER: u32 = 1;

fn name(text: &str) -> [u32; 4] {
    let mut bytes = [0; 16];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    std::array::from_fn(|word| u32::from_ne_bytes(bytes[word * 4..][..4].try_into().unwrap()))
}

/// union bpf_attr for a map.
fn map_attr() -> [u32; 32] {
    let mut attr = [0; 32];
    attr[..4].copy_from_slice(&[ARRAY, 4, 8, 16]);
    attr[7..11].copy_from_slice(&name("test_map"));
    attr
}

/// An instruction: code, registers, offset, immediate.
fn instruction(code: u8, registers: u8, immediate: i32) -> u64 {
    u64::from(code) | u64::from(registers) << 8 | u64::from(immediate as u32) << 32
}

/// `call helper`s, then `r0 = 0; exit`.
fn program(helpers: &[i32]) -> Vec<u64> {
    let calls = helpers.iter().map(|helper| instruction(0x85, 0, *helper));
    calls.chain([instruction(0xb7, 0, 0), instruction(0x95, 0, 0)]).collect()
}

fn program_attr(instructions: &[u64], license: &std::ffi::CStr) -> [u32; 32] {
    let mut attr = [0; 32];
    let (code, license) = (instructions.as_ptr() as u64, license.as_ptr() as u64);
    attr[..6].copy_from_slice(&[
        SOCKET_FILTER,
        instructions.len() as u32,
        code as u32,
        (code >> 32) as u32,
        license as u32,
        (license >> 32) as u32,
    ]);
    attr[12..16].copy_from_slice(&name("test_program"));
    attr
}

fn bpf(command: i64, attr: &[u32; 32]) -> i64 {
    call(libc::SYS_bpf, &[command, at(attr), 72])
}

/// The number of the map or program behind a descriptor, as /proc says.
fn id(descriptor: i64, key: &str) -> u32 {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim_start_matches(':').trim().parse().unwrap()
}

#[test]
fn maps_are_told_from_the_kernels_objects() {
    if !ready() {
        return;
    }
    let mut map = 0;
    let seen = BPF.watch_one(Kind::Bpf, || map = bpf(MAP_CREATE, &map_attr()));
    assert!(map > 2, "{map}");
    let record = seen.record();
    assert_sound(&record);
    let created: bpf_body = record.body();
    let expected = (map, 0, 0, id(map, "map_id"), ARRAY);
    assert_eq!((created.retval, created.cmd, created.flags, created.map_id, created.map_type), expected);
    assert_eq!(created.map_name, *b"test_map\0\0\0\0\0\0\0\0");
    assert_eq!((created.program_id, created.helpers), (0, [0; 4]));

    let (key, value) = (3_u32, [0_u8; 8]);
    let mut attr = [0; 32];
    attr[0] = map as u32;
    (attr[2], attr[3]) = (at(&key) as u32, (at(&key) as u64 >> 32) as u32);
    (attr[4], attr[5]) = (at(&value) as u32, (at(&value) as u64 >> 32) as u32);
    let seen = BPF.watch(|| {
        assert_eq!(bpf(MAP_LOOKUP, &attr), 0);
        let mut only = [0; 32];
        only[0] = map as u32;
        assert_eq!(bpf(MAP_FREEZE, &only), 0);
    });
    let bodies: Vec<bpf_body> = seen.iter().map(|seen| seen.record().body()).collect();
    assert_eq!(bodies.iter().map(|body| body.cmd).collect::<Vec<_>>(), [1, 22]);
    for body in bodies {
        assert_eq!((body.map_id, body.map_name), (created.map_id, created.map_name));
    }
    call(libc::SYS_close, &[map]);
}

#[test]
fn programs_tell_the_helpers_that_they_call() {
    if !ready() {
        return;
    }
    // get_prandom_u32, ktime_get_ns, ktime_get_coarse_ns.
    let helpers = [7, 5, 7, 160];
    let code = program(&helpers);
    let attr = program_attr(&code, c"GPL");
    let mut made = 0;
    let seen = BPF.watch(|| {
        made = bpf(PROG_LOAD, &attr);
        let mut info = [0; 32];
        let buffer = [0_u8; 256];
        info[0] = made as u32;
        info[1] = buffer.len() as u32;
        (info[2], info[3]) = (at(&buffer) as u32, (at(&buffer) as u64 >> 32) as u32);
        assert_eq!(bpf(OBJ_GET_INFO, &info), 0);
    });
    assert!(made > 2, "{made}");
    let [load, information] = &seen[..] else { panic!("two events") };
    let body: bpf_body = load.record().body();
    assert_eq!((body.retval, body.cmd, body.flags), (made, PROG_LOAD as u32, 0));
    assert_eq!((body.program_id, body.program_type), (id(made, "prog_id"), SOCKET_FILTER));
    assert_eq!(body.program_name, *b"test_program\0\0\0\0");
    assert_eq!((body.instructions, body.attach_type), (6, 0));
    assert_eq!(body.helpers, [1 << 7 | 1 << 5, 0, 1 << (160 - 128), 0]);
    let tag: String = body.program_tag.iter().map(|byte| format!("{byte:02x}")).collect();
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{made}")).unwrap();
    assert!(info.lines().any(|line| line.starts_with("prog_tag:") && line.ends_with(&tag)), "{info} {tag}");
    let same: bpf_body = information.record().body();
    assert_eq!((same.program_id, same.program_name), (body.program_id, body.program_name));
    call(libc::SYS_close, &[made]);
}

#[test]
fn a_program_that_is_refused_is_told_as_it_was_given() {
    if !ready() {
        return;
    }
    // A socket filter may not write user memory (36); enough instructions to need several reads.
    let mut code: Vec<u64> = (0..10_000).map(|_| instruction(0xb7, 0, 0)).collect();
    code.extend(program(&[36]));
    // A function of its own, and one of a module: no helpers.
    code.extend([instruction(0x85, 0x10, 5), instruction(0x85, 0x20, 6)]);
    let attr = program_attr(&code, c"GPL");
    let mut small = program(&[1000, 211]);
    small.insert(0, instruction(0x85, 0, 36));
    for (attr, helpers) in
        [(attr, [1 << 36, 0, 0, 0]), (program_attr(&small, c"GPL"), [1 << 36, 0, 0, 1 << (211 - 192)])]
    {
        let mut result = 0;
        let seen = BPF.watch(|| result = bpf(PROG_LOAD, &attr));
        assert!(result < 0);
        if result != -1 && result != -13 {
            // Invalid rather than refused: no event.
            assert!(seen.is_empty(), "{result}");
            continue;
        }
        let body: bpf_body = seen[0].record().body();
        assert_eq!((body.retval, body.flags), (result, BPF_FLAG_PROGRAM_GIVEN));
        assert_eq!((body.program_type, body.program_id), (SOCKET_FILTER, 0));
        assert_eq!(body.program_name, *b"test_program\0\0\0\0");
        assert_eq!(body.helpers, helpers);
    }
}
