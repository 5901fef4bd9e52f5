//! The kernel's symbols that something depends on.

use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;

/// The function that releases a file at the return to user mode (fs/file_table.c). The work item of a task that
/// holds this address is a file.
const DEFERRED_RELEASE: &str = "____fput";

/// Entry points for 32-bit system calls, of x86 (up to 6.6 and later) and arm64.
const COMPAT_ENTRIES: [&str; 3] = ["entry_INT80_compat", "int80_emulation", "do_el0_svc_compat"];

/// What guards the callbacks of tracepoints instead of preemption being off, since Linux 7.0 (a46023d5616e). Some kernels
/// before 6.13 had one for other reasons.
const TRACEPOINT_GUARD: &str = "tracepoint_srcu";

/// What `/proc/kallsyms` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Symbols {
    /// None if there is no such symbol; 0 if the kernel hides addresses.
    deferred_release: Option<u64>,
    compat_entry: Option<&'static str>,
    guards_tracepoints: bool,
}

impl Symbols {
    /// Reads `/proc/kallsyms`.
    pub(crate) fn read(proc: &Path) -> io::Result<Self> {
        Self::parse(BufReader::new(File::open(proc.join("kallsyms"))?))
    }

    /// Lines of `ADDRESS TYPE NAME [MODULE]`.
    fn parse(mut file: impl BufRead) -> io::Result<Self> {
        let mut symbols = Self::default();
        let mut line = String::new();
        // One buffer for some 200,000 lines.
        while file.read_line(&mut line)? > 0 {
            let mut fields = line.split_ascii_whitespace();
            if let (Some(address), Some(_), Some(name)) = (fields.next(), fields.next(), fields.next()) {
                if name == DEFERRED_RELEASE {
                    symbols.deferred_release = u64::from_str_radix(address, 16).ok();
                } else if let Some(entry) = COMPAT_ENTRIES.iter().find(|entry| **entry == name) {
                    symbols.compat_entry = Some(entry);
                } else if name == TRACEPOINT_GUARD {
                    symbols.guards_tracepoints = true;
                }
            }
            line.clear();
        }
        Ok(symbols)
    }

    /// Address of the function that releases files late.
    pub(crate) fn deferred_release(&self) -> Result<u64, String> {
        match self.deferred_release {
            Some(0) => Err("the kernel hides addresses (kernel.kptr_restrict)".to_owned()),
            Some(address) => Ok(address),
            None => Err(format!("no symbol {DEFERRED_RELEASE}")),
        }
    }

    /// Whether callbacks of tracepoints run with preemption off on any kernel, preemptible or not.
    pub(super) fn undisturbed_tracepoints(&self) -> Result<String, String> {
        if self.guards_tracepoints {
            Err(format!("tracepoints are guarded by {TRACEPOINT_GUARD}, and the kernel is preemptible"))
        } else {
            Ok("preemption is off at tracepoints".to_owned())
        }
    }

    /// Whether the kernel is built to take 32-bit system calls.
    pub(super) fn compat_syscalls(&self) -> Result<String, String> {
        let entry = self.compat_entry.ok_or("no entry for them")?;
        Ok(format!("through {entry}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Symbols {
        Symbols::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn symbols_are_found() {
        let symbols = parse(
            "ffffffff81000000 T _stext\nffffffff812a4d10 t ____fput\nffffffff8200 T entry_INT80_compat [m]\n",
        );
        assert_eq!(symbols.deferred_release(), Ok(0xffff_ffff_812a_4d10));
        assert_eq!(symbols.compat_syscalls(), Ok("through entry_INT80_compat".to_owned()));
        assert!(symbols.undisturbed_tracepoints().is_ok());
        assert!(parse("ffffffff81000000 b tracepoint_srcu\n").undisturbed_tracepoints().is_err());
    }

    #[test]
    fn hidden_addresses_and_missing_symbols_are_told_apart() {
        assert!(
            parse("0000000000000000 t ____fput\n").deferred_release().unwrap_err().contains("kptr_restrict")
        );
        assert!(parse("\nx\n").deferred_release().unwrap_err().contains("no symbol"));
        assert!(parse("0 t a").compat_syscalls().is_err());
    }
}
