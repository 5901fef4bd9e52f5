//! Has the verifier of the oldest kernels see which way a branch goes.
//!
//! What a kernel does not have is read behind a comparison of a constant that libbpf has put in, and stands there as an
//! instruction that no kernel takes. A verifier must not go there. Those before 4.16 know which way a comparison with a
//! constant goes only if both are equal: a known 1 may still be 0. So such comparisons are turned around: in place of
//! "goes there if it is 0", "stays unless it is 1". What the program does is the same.

use anyhow::Context;
use libbpf_rs::AsRawLibbpf as _;
use libbpf_rs::OpenObject;
use libbpf_rs::libbpf_sys;
use libbpf_rs::libbpf_sys::bpf_insn;

const CLASS: u8 = 0x07;
const CLASS_LDX: u8 = 0x01;
const CLASS_ST: u8 = 0x02;
const CLASS_STX: u8 = 0x03;
const CLASS_JMP: u8 = 0x05;
const CLASS_JMP32: u8 = 0x06;

const LOAD_64: u8 = 0x18;
const MOVE_CONSTANT: u8 = 0xb7;
const MOVE: u8 = 0xbf;
const JUMP: u8 = 0x05;
const JUMP_IF_EQUAL: u8 = 0x15;
const JUMP_UNLESS_EQUAL: u8 = 0x55;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

const REGISTERS: usize = 11;
/// Those that a call leaves behind as it found them.
const KEPT_BY_CALLS: std::ops::Range<usize> = 6..REGISTERS;

/// The constants in the registers, where they are known.
type Known = [Option<i64>; REGISTERS];

/// Turns the comparisons of the programs that are to be loaded. Afterwards the object is prepared: its programs are as the
/// kernel will get them.
///
/// # Errors
///
/// Those of libbpf, which prints the reason.
pub(super) fn settle(object: &mut OpenObject) -> anyhow::Result<()> {
    // SAFETY: the pointer is that of the object, which nobody else uses meanwhile and which is not loaded yet.
    let result = unsafe { libbpf_sys::bpf_object__prepare(object.as_libbpf_object().as_ptr()) };
    check(result).context("cannot prepare the BPF object")?;
    for program in object.progs_mut().filter(|program| program.autoload()) {
        let mut instructions = program.insns().to_vec();
        turn(&mut instructions);
        // SAFETY: the program belongs to the object, which is not loaded yet; libbpf copies the instructions.
        let result = unsafe {
            libbpf_sys::bpf_program__set_insns(
                program.as_libbpf_object().as_ptr(),
                instructions.as_mut_ptr(),
                instructions.len() as libbpf_sys::size_t,
            )
        };
        check(result).with_context(|| format!("cannot change {}", program.name().display()))?;
    }
    Ok(())
}

fn check(result: i32) -> std::io::Result<()> {
    if result == 0 { Ok(()) } else { Err(std::io::Error::from_raw_os_error(result.saturating_neg())) }
}

/// Turns the comparisons of which the result is known.
fn turn(instructions: &mut [bpf_insn]) {
    let states = states(instructions);
    for (instruction, state) in instructions.iter_mut().zip(&states) {
        let (JUMP_IF_EQUAL | JUMP_UNLESS_EQUAL, Some(state)) = (instruction.code, state) else { continue };
        let known = state.get(usize::from(instruction.dst_reg())).copied().flatten();
        let Some(Ok(known)) = known.map(i32::try_from) else { continue };
        if known != instruction.imm {
            instruction.code ^= JUMP_IF_EQUAL ^ JUMP_UNLESS_EQUAL;
            instruction.imm = known;
        }
    }
}

/// What is known where the program comes by, before each instruction; nothing of those where it does not.
fn states(instructions: &[bpf_insn]) -> Vec<Option<Known>> {
    let mut states: Vec<Option<Known>> = vec![None; instructions.len()];
    let mut waiting = vec![(0, [None; REGISTERS])];
    while let Some((at, arriving)) = waiting.pop() {
        let (Some(state), Some(instruction)) = (states.get_mut(at), instructions.get(at)) else { continue };
        let joined = state.map_or(arriving, |before| common(&before, &arriving));
        if *state == Some(joined) {
            continue;
        }
        *state = Some(joined);
        let next = instructions.get(at + 1).map_or(0, |second| second.imm);
        waiting.extend(ways_on(at, instruction, next, joined));
    }
    states
}

/// What two ways to the same place agree upon.
fn common(one: &Known, other: &Known) -> Known {
    std::array::from_fn(|register| {
        let known = one.get(register).copied().flatten();
        known.filter(|_| other.get(register).copied().flatten() == known)
    })
}

/// Where an instruction leads, and what is known there. `next` is the constant of the one behind it.
fn ways_on(at: usize, instruction: &bpf_insn, next: i32, mut known: Known) -> Vec<(usize, Known)> {
    let (dst, src) = (usize::from(instruction.dst_reg()), usize::from(instruction.src_reg()));
    let get = |known: &Known, register: usize| known.get(register).copied().flatten();
    let set = |known: &mut Known, register: usize, value: Option<i64>| {
        if let Some(place) = known.get_mut(register) {
            *place = value;
        }
    };
    let target = (at + 1).saturating_add_signed(isize::from(instruction.off));
    let ahead = at + 1;
    match instruction.code {
        EXIT => Vec::new(),
        JUMP => vec![(target, known)],
        CALL => {
            let kept = |register| KEPT_BY_CALLS.contains(&register).then(|| get(&known, register)).flatten();
            vec![(ahead, std::array::from_fn(kept))]
        }
        JUMP_IF_EQUAL | JUMP_UNLESS_EQUAL => {
            let constant = i64::from(instruction.imm);
            let (equal, unequal) =
                if instruction.code == JUMP_IF_EQUAL { (target, ahead) } else { (ahead, target) };
            let value = get(&known, dst);
            let mut ways = Vec::new();
            if value.is_none_or(|value| value != constant) {
                ways.push((unequal, known));
            }
            if value.is_none_or(|value| value == constant) {
                set(&mut known, dst, Some(constant));
                ways.push((equal, known));
            }
            ways
        }
        LOAD_64 => {
            let constant = i64::from(next) << 32 | i64::from(instruction.imm.cast_unsigned());
            set(&mut known, dst, (src == 0).then_some(constant));
            vec![(at + 2, known)]
        }
        code => {
            match (code, code & CLASS) {
                (_, CLASS_JMP | CLASS_JMP32) => return vec![(ahead, known), (target, known)],
                (MOVE_CONSTANT, _) => set(&mut known, dst, Some(i64::from(instruction.imm))),
                (MOVE, _) => {
                    let value = get(&known, src);
                    set(&mut known, dst, value);
                }
                (_, CLASS_ST | CLASS_STX) => {}
                (_, CLASS_LDX) => set(&mut known, dst, None),
                // Arithmetic; also loads that no program of ours has.
                _ => set(&mut known, dst, None),
            }
            vec![(ahead, known)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POISON: i32 = 0x0bad_2310;

    fn insn(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> bpf_insn {
        let mut insn = bpf_insn { code, off, imm, ..bpf_insn::default() };
        insn.set_dst_reg(dst);
        insn.set_src_reg(src);
        insn
    }

    fn turned(mut instructions: Vec<bpf_insn>) -> Vec<(u8, i32)> {
        turn(&mut instructions);
        instructions.iter().map(|insn| (insn.code, insn.imm)).collect()
    }

    /// if (exists) else poison, of a member that is there and of one that is not, with both jumps.
    #[test]
    fn a_comparison_is_one_with_the_constant_that_is_known() {
        for (exists, jump) in
            [(1, JUMP_IF_EQUAL), (1, JUMP_UNLESS_EQUAL), (0, JUMP_IF_EQUAL), (0, JUMP_UNLESS_EQUAL)]
        {
            let program = turned(vec![
                insn(MOVE_CONSTANT, 1, 0, 0, exists),
                insn(jump, 1, 0, 1, 0),
                insn(CALL, 0, 0, 0, POISON),
                insn(EXIT, 0, 0, 0, 0),
            ]);
            let goes_there = if jump == JUMP_IF_EQUAL { exists == 0 } else { exists != 0 };
            let expected = if goes_there { JUMP_IF_EQUAL } else { JUMP_UNLESS_EQUAL };
            assert_eq!(program[1], (expected, exists), "{exists} {jump:#x}");
        }
    }

    #[test]
    fn what_is_not_known_stays_as_it_is() {
        // r1 is 1 or what was read; r6 is kept by the call, r2 is not.
        let program = turned(vec![
            insn(MOVE_CONSTANT, 6, 0, 0, 1),
            insn(MOVE_CONSTANT, 2, 0, 0, 1),
            insn(0x79, 1, 10, -8, 0),
            insn(0x2d, 1, 6, 1, 0),
            insn(MOVE_CONSTANT, 1, 0, 0, 1),
            insn(JUMP_IF_EQUAL, 1, 0, 0, 0),
            insn(CALL, 0, 0, 0, 5),
            insn(JUMP_IF_EQUAL, 2, 0, 0, 0),
            insn(MOVE, 3, 6, 0, 0),
            insn(JUMP_IF_EQUAL, 3, 0, 0, 0),
            insn(LOAD_64, 4, 0, 0, 0),
            insn(0, 0, 0, 0, 1),
            insn(JUMP_UNLESS_EQUAL, 4, 0, 0, 0),
            insn(EXIT, 0, 0, 0, 0),
        ]);
        assert_eq!(program[5], (JUMP_IF_EQUAL, 0), "two ways lead there");
        assert_eq!(program[7], (JUMP_IF_EQUAL, 0), "a call has been there");
        assert_eq!(program[9], (JUMP_UNLESS_EQUAL, 1), "a copy is known");
        assert_eq!(program[12], (JUMP_UNLESS_EQUAL, 0), "too large to be compared with");
    }

    #[test]
    fn what_leads_out_of_a_program_does_no_harm() {
        turn(&mut [insn(JUMP, 0, 0, -9, 0)]);
        turn(&mut [insn(JUMP_IF_EQUAL, 15, 15, 99, 0), insn(LOAD_64, 15, 0, 0, 0)]);
        turn(&mut []);
    }
}
