//! The object for old kernels: each program loads on the running one, and has nothing in it that Linux 4.15 does not take; but for
//! the type of programs at raw tracepoints (4.17), of which there is a second form without.

#![allow(clippy::unwrap_used, reason = "a test")]

use libbpf_rs::ObjectBuilder;
use libbpf_rs::libbpf_sys::bpf_insn;

/// `BPF_MAXINSNS`.
const INSTRUCTIONS_MAX: usize = 4096;
/// `bpf_getsockopt`, the last helper of 4.15.
const HELPER_MAX: i32 = 57;
/// `BPF_MAP_TYPE_CPUMAP`, its last type of maps.
const MAP_TYPE_MAX: u32 = 16;

const CLASS: u8 = 0x07;
const LDX: u8 = 0x01;
const STX: u8 = 0x03;
const ALU32: u8 = 0x04;
const JMP: u8 = 0x05;
const JMP32: u8 = 0x06;
const OPERATION: u8 = 0xf0;
const SWAP_BYTES: u8 = 0xd0;
const MODE: u8 = 0xe0;
const MEMORY: u8 = 0x60;
const ATOMIC: u8 = 0xc0;
const LOAD_64: u8 = 0x18;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
/// In place of what reads a member that the running kernel does not have; libbpf's, and never reached.
const UNREACHABLE_CALL: i32 = 0x0bad_2310;

/// What 4.15 would refuse, or could not know.
fn faults(instructions: &[bpf_insn]) -> Vec<String> {
    let mut faults = Vec::new();
    if instructions.len() > INSTRUCTIONS_MAX {
        faults.push(format!("{} instructions", instructions.len()));
    }
    let mut second_half = false;
    for (at, insn) in instructions.iter().enumerate() {
        if std::mem::take(&mut second_half) {
            continue;
        }
        let (class, operation) = (insn.code & CLASS, insn.code & OPERATION);
        let fault = match insn.code {
            LOAD_64 => {
                second_half = true;
                (insn.src_reg() > 1).then_some("an address of global data or of a function")
            }
            CALL => match (insn.src_reg(), insn.imm) {
                (0, UNREACHABLE_CALL) => None,
                (0, helper) => (!(1..=HELPER_MAX).contains(&helper)).then_some("a helper function"),
                (1, _) => Some("a call of a function"),
                _ => Some("a function of the kernel"),
            },
            EXIT => None,
            _ if class == JMP32 => Some("a jump of 32 bits"),
            _ if class == JMP => None,
            _ if class == ALU32 => (operation != SWAP_BYTES).then_some("arithmetic of 32 bits"),
            _ if class == STX && insn.code & MODE == ATOMIC => {
                (insn.imm != 0).then_some("an atomic operation other than addition")
            }
            _ if class == LDX => (insn.code & MODE != MEMORY).then_some("a load that extends the sign"),
            _ => None,
        };
        if let Some(fault) = fault {
            faults.push(format!("{at}: {fault}: {insn:?}"));
        }
    }
    faults.extend(loop_at(instructions).map(|at| format!("{at}: a loop")));
    faults
}

/// Where instructions lead to: what follows, and the target of a jump.
fn ways_on(instructions: &[bpf_insn], at: usize) -> Vec<usize> {
    let insn = &instructions[at];
    let relative = |offset: i32| (at + 1).checked_add_signed(isize::try_from(offset).ok()?);
    let (next, jump) = (Some(at + 1), relative(i32::from(insn.off)));
    let ways = match insn.code {
        EXIT => [None, None],
        LOAD_64 => [Some(at + 2), None],
        CALL => [next, None],
        0x05 => [jump, None],
        code if code & CLASS == JMP || code & CLASS == JMP32 => [next, jump],
        _ => [next, None],
    };
    ways.into_iter().flatten().filter(|way| *way < instructions.len()).collect()
}

/// An instruction that leads back to one on the way to it. A jump backwards alone is no loop.
fn loop_at(instructions: &[bpf_insn]) -> Option<usize> {
    let (mut seen, mut on_the_way) = (vec![false; instructions.len()], vec![false; instructions.len()]);
    let mut path = vec![(0, ways_on(instructions, 0))];
    seen[0] = true;
    on_the_way[0] = true;
    while let Some((at, ways)) = path.last_mut() {
        let at = *at;
        match ways.pop() {
            Some(way) if on_the_way[way] => return Some(at),
            Some(way) if seen[way] => {}
            Some(way) => {
                seen[way] = true;
                on_the_way[way] = true;
                path.push((way, ways_on(instructions, way)));
            }
            None => {
                on_the_way[at] = false;
                path.pop();
            }
        }
    }
    None
}

#[test]
fn every_program_loads_and_has_nothing_that_is_younger_than_4_15() {
    if !rustix::process::geteuid().is_root() {
        return println!("skipped: loading BPF programs needs root");
    }
    let open = || ObjectBuilder::default().open_file(bpf::OLD_OBJECT_PATH).unwrap();
    let names: Vec<_> = open().progs().map(|program| program.name().to_owned()).collect();
    for expected in ["on_exec", "exit_open", "exit_connect", "packet_out", "exit_signal"] {
        assert!(names.iter().any(|name| name == expected), "{expected} is missing: {names:?}");
    }
    let has_modules = std::path::Path::new("/proc/modules").exists();
    let mut refused = Vec::new();
    for name in names {
        let mut object = open();
        for mut program in object.progs_mut() {
            let wanted = program.name() == name;
            program.set_autoload(wanted);
        }
        let loaded = match object.load() {
            Ok(loaded) => loaded,
            Err(_) if !has_modules && name.to_string_lossy().starts_with("on_module") => continue,
            Err(error) => {
                refused.push(format!("{}: {error:#}", name.display()));
                continue;
            }
        };
        let program = loaded.progs().find(|program| program.name() == name).unwrap();
        let instructions = program.insns();
        assert!(!instructions.is_empty(), "{}", name.display());
        refused.extend(faults(instructions).iter().map(|fault| format!("{}: {fault}", name.display())));
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn every_map_is_one_that_4_15_can_make() {
    let object = ObjectBuilder::default().open_file(bpf::OLD_OBJECT_PATH).unwrap();
    let mut count = 0;
    for map in object.maps() {
        let name = map.name().to_string_lossy().into_owned();
        assert!(!name.contains('.'), "global data: {name}");
        let kind: u32 = map.map_type().into();
        assert!((1..=MAP_TYPE_MAX).contains(&kind), "{name}: type {kind}");
        count += 1;
    }
    assert!(count > 10, "{count}");
}

#[test]
fn what_4_15_does_not_take_is_noticed() {
    let insn = |code, registers: u8, off, imm| {
        let mut insn = bpf_insn { code, off, imm, ..bpf_insn::default() };
        insn.set_src_reg(registers);
        insn
    };
    let exit = insn(EXIT, 0, 0, 0);
    assert!(faults(&[insn(CALL, 0, 0, 57), insn(0x05, 0, 1, 0), exit, exit]).is_empty());
    for bad in [
        vec![insn(CALL, 0, 0, 58)],
        vec![insn(CALL, 2, 0, 1)],
        vec![insn(CALL, 1, 0, 0), exit],
        vec![insn(0x05, 0, -1, 0)],
        vec![insn(0x16, 0, 1, 0)],
        vec![insn(0xb4, 0, 0, 0)],
        vec![insn(LOAD_64, 2, 0, 0), insn(0, 0, 0, 0)],
        vec![insn(0xdb, 0, 0, 1)],
        vec![insn(0x81, 0, 0, 0)],
        vec![exit; INSTRUCTIONS_MAX + 1],
    ] {
        assert!(!faults(&bad).is_empty(), "{:?}", bad.first());
    }
}
