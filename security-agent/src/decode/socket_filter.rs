//! Filters of sockets: classic BPF programs, as text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use model::Text;
use sha2::{Digest as _, Sha256};

/// One instruction: `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction {
    code: u16,
    /// Instructions to pass over if a comparison holds, and if not.
    if_true: u8,
    if_false: u8,
    k: u32,
}

/// Reads the instructions of a program.
pub(super) fn read(bytes: &[u8]) -> Vec<Instruction> {
    let instruction = |bytes: &[u8]| {
        let bytes = bytes.first_chunk::<8>()?;
        Some(Instruction {
            code: u16::from_ne_bytes([bytes[0], bytes[1]]),
            if_true: bytes[2],
            if_false: bytes[3],
            k: u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        })
    };
    bytes.chunks_exact(8).filter_map(instruction).collect()
}

/// SHA-256 of a program, in hexadecimal.
pub(super) fn hash(bytes: &[u8]) -> Text {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.as_str().into()
}

/// The constants that a program calculates and compares with, sorted: what it looks for in packets.
pub(super) fn immediates(program: &[Instruction]) -> Box<[i64]> {
    let uses = |instruction: &&Instruction| match instruction.code & CLASS {
        ALU | JMP => instruction.code & FROM_X == 0 && !instruction.has_no_operand(),
        LD | LDX => instruction.code & MODE == IMM,
        _ => false,
    };
    let found: BTreeSet<i64> = program.iter().filter(uses).map(|instruction| instruction.k.into()).collect();
    found.into_iter().collect()
}

const CLASS: u16 = 0x07;
const LD: u16 = 0x00;
const LDX: u16 = 0x01;
const ST: u16 = 0x02;
const STX: u16 = 0x03;
const ALU: u16 = 0x04;
const JMP: u16 = 0x05;
const RET: u16 = 0x06;
const SIZE: u16 = 0x18;
const MODE: u16 = 0xe0;
const IMM: u16 = 0x00;
const OPERATION: u16 = 0xf0;
const FROM_X: u16 = 0x08;

/// One instruction a line, as bpf_dbg and tcpdump write them.
pub(super) fn disassemble(program: &[Instruction]) -> String {
    let mut text = String::new();
    for (at, instruction) in program.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        let _ = write!(text, "l{at}: ");
        instruction.write(at, &mut text);
    }
    text
}

impl Instruction {
    /// `ja` has a distance, `neg` nothing.
    fn has_no_operand(self) -> bool {
        self.code & OPERATION == if self.code & CLASS == JMP { 0x00 } else { 0x80 }
    }

    fn write(self, at: usize, text: &mut String) {
        let Self { code, if_true, if_false, k } = self;
        let operand = if code & FROM_X == 0 { format!("#{k:#x}") } else { "x".to_owned() };
        let size = match code & SIZE {
            0x00 => "",
            0x08 => "h",
            _ => "b",
        };
        let result = match code & CLASS {
            LD => match code & MODE {
                IMM => write!(text, "ld #{k:#x}"),
                0x20 => write!(text, "ld{size} [{k}]"),
                0x40 => write!(text, "ld{size} [x + {k}]"),
                0x60 => write!(text, "ld M[{k}]"),
                0x80 => write!(text, "ld #pktlen"),
                _ => write!(text, ".word {code:#06x} {k:#x}"),
            },
            LDX => match code & MODE {
                IMM => write!(text, "ldx #{k:#x}"),
                0x60 => write!(text, "ldx M[{k}]"),
                0x80 => write!(text, "ldx #pktlen"),
                0xa0 => write!(text, "ldxb 4*([{k}]&0xf)"),
                _ => write!(text, ".word {code:#06x} {k:#x}"),
            },
            ST => write!(text, "st M[{k}]"),
            STX => write!(text, "stx M[{k}]"),
            ALU => match alu(code) {
                Some("neg") => write!(text, "neg"),
                Some(name) => write!(text, "{name} {operand}"),
                None => write!(text, ".word {code:#06x} {k:#x}"),
            },
            JMP => {
                let target = |distance: u32| at as u64 + 1 + u64::from(distance);
                let (yes, no) = (target(if_true.into()), target(if_false.into()));
                match code & OPERATION {
                    0x00 => write!(text, "jmp l{}", target(k)),
                    0x10 => write!(text, "jeq {operand}, l{yes}, l{no}"),
                    0x20 => write!(text, "jgt {operand}, l{yes}, l{no}"),
                    0x30 => write!(text, "jge {operand}, l{yes}, l{no}"),
                    0x40 => write!(text, "jset {operand}, l{yes}, l{no}"),
                    _ => write!(text, ".word {code:#06x} {k:#x}"),
                }
            }
            RET => match code & SIZE {
                0x10 => write!(text, "ret a"),
                0x08 => write!(text, "ret x"),
                _ => write!(text, "ret #{k:#x}"),
            },
            _ => write!(text, "{}", if code & 0xf8 == 0x80 { "txa" } else { "tax" }),
        };
        // Writing to a String does not fail.
        let _ = result;
    }
}

fn alu(code: u16) -> Option<&'static str> {
    const NAMES: [&str; 11] = ["add", "sub", "mul", "div", "or", "and", "lsh", "rsh", "neg", "mod", "xor"];
    NAMES.get(usize::from(code & OPERATION) >> 4).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(instructions: &[(u16, u8, u8, u32)]) -> Vec<u8> {
        let bytes = |(code, yes, no, k): &(u16, u8, u8, u32)| {
            [&code.to_ne_bytes()[..], &[*yes, *no], &k.to_ne_bytes()].concat()
        };
        instructions.iter().flat_map(bytes).collect()
    }

    #[test]
    fn a_program_is_written_as_others_write_it() {
        // tcpdump -ddd 'udp port 53' begins like this; the magic number is that of a well-known back door.
        let bytes = program(&[
            (0x28, 0, 0, 12),
            (0x15, 0, 4, 0x800),
            (0x30, 0, 0, 23),
            (0xb1, 0, 0, 14),
            (0x48, 0, 0, 16),
            (0x15, 1, 0, 0x7255),
            (0x06, 0, 0, 0),
            (0x06, 0, 0, 262_144),
        ]);
        let read = read(&bytes);
        assert_eq!(
            disassemble(&read),
            "l0: ldh [12]\nl1: jeq #0x800, l2, l6\nl2: ldb [23]\nl3: ldxb 4*([14]&0xf)\nl4: ldh [x + 16]\n\
             l5: jeq #0x7255, l7, l6\nl6: ret #0x0\nl7: ret #0x40000"
        );
        assert_eq!(*immediates(&read), [0x800, 0x7255]);
    }

    #[test]
    fn the_hash_is_that_of_the_bytes() {
        assert_eq!(
            &*hash(b"abc"),
            b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".as_slice()
        );
    }

    #[test]
    fn any_bytes_are_a_program() {
        for code in 0..=u16::MAX {
            let text = disassemble(&read(&program(&[(code, 255, 255, u32::MAX)])));
            assert!(text.starts_with("l0: ") && text.len() > 4, "{code:#x}");
        }
        assert!(read(b"\0\0\0\0\0\0\0").is_empty());
    }
}
