//! System calls with exactly the arguments that a test says, made by the trigger `call`.

use std::ffi::{OsStr, OsString, c_long};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::file_truth::FileTruth;
use super::trigger::{Started, Trigger};

/// An argument of a system call.
#[derive(Debug, Clone)]
pub struct Arg(OsString);

/// A number.
#[must_use]
pub fn n(number: impl Into<i64>) -> Arg {
    Arg(format!("n{}", number.into()).into())
}

/// A string, by address.
#[must_use]
pub fn s(text: impl AsRef<OsStr>) -> Arg {
    let mut word = OsString::from("s");
    word.push(text);
    Arg(word)
}

/// Bytes, by address.
#[must_use]
pub fn x(bytes: &[u8]) -> Arg {
    Arg(format!("x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()).into())
}

/// 64-bit numbers in a row, by address: the structures of most calls.
#[must_use]
pub fn words(numbers: &[u64]) -> Arg {
    x(&numbers.iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<_>>())
}

/// That many zero bytes, by address. What the kernel leaves there is in [`Made::buffer`].
#[must_use]
pub fn b(size: usize) -> Arg {
    Arg(format!("b{size}").into())
}

/// The result of an earlier call; the first is 0.
#[must_use]
pub fn r(call: usize) -> Arg {
    Arg(format!("r{call}").into())
}

/// The address of the bytes that were an argument of an earlier call.
#[must_use]
pub fn p(call: usize, argument: usize) -> Arg {
    Arg(format!("p{call}.{argument}").into())
}

/// The 32-bit word at an offset of these bytes.
#[must_use]
pub fn w(call: usize, argument: usize, offset: usize) -> Arg {
    Arg(format!("w{call}.{argument}.{offset}").into())
}

/// A `struct xattr_args` with this value.
#[must_use]
pub fn xattr_args(value: &str) -> Arg {
    Arg(format!("a{value}").into())
}

/// Calls, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    words: Vec<OsString>,
    count: usize,
}

impl Calls {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a call of this architecture.
    #[must_use]
    pub fn then(mut self, number: c_long, arguments: impl IntoIterator<Item = Arg>) -> Self {
        self.begin();
        self.end(number, arguments)
    }

    /// Adds a 32-bit call, with its own number.
    #[must_use]
    pub fn then_i386(mut self, number: c_long, arguments: impl IntoIterator<Item = Arg>) -> Self {
        self.begin();
        self.words.push("i386".into());
        self.end(number, arguments)
    }

    /// Adds a call of [`FileTruth::of_buffer`]'s: what the file is to this process at this moment. A link is not followed.
    #[must_use]
    pub fn then_stat(self, path: impl AsRef<Path>) -> Self {
        // AT_SYMLINK_NOFOLLOW; STATX_BASIC_STATS | STATX_MNT_ID
        self.then(libc::SYS_statx, [n(-100), s(path.as_ref()), n(0x100), n(0x17ff), b(256)])
    }

    /// The number of calls so far: that of the next one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    fn begin(&mut self) {
        if self.count > 0 {
            self.words.push("--".into());
        }
        self.count += 1;
    }

    fn end(mut self, number: c_long, arguments: impl IntoIterator<Item = Arg>) -> Self {
        self.words.push(number.to_string().into());
        self.words.extend(arguments.into_iter().map(|argument| argument.0));
        self
    }

    /// Makes them.
    ///
    /// # Errors
    /// If the trigger cannot be run.
    pub fn make(&self, trigger: &Trigger) -> Result<Made> {
        trigger.run(&self.words).map(Made)
    }

    /// Makes them and stays: the process is there until what is returned is dropped.
    ///
    /// # Errors
    /// If the trigger cannot be started.
    pub fn make_and_stay(self, trigger: &Trigger) -> Result<Started> {
        // Of nothing and without a limit: pause(2) is not a call of every architecture.
        let for_ever = self.then(libc::SYS_ppoll, [n(0), n(0), n(0), n(0), n(0)]);
        trigger.start(for_ever.words)
    }

    /// Makes them as the user and group with this id.
    ///
    /// # Errors
    /// If the trigger cannot be run.
    pub fn make_as(&self, id: u32, trigger: &Trigger) -> Result<Made> {
        trigger.run_as(id, &self.words).map(Made)
    }
}

/// What became of calls.
#[derive(Debug, Clone)]
pub struct Made(Value);

impl Made {
    /// The process that made them.
    #[must_use]
    pub fn pid(&self) -> &Value {
        &self.0["pid"]
    }

    /// The result of a call: the kernel's, so that `-errno` is a failure.
    #[must_use]
    pub fn result(&self, call: usize) -> i64 {
        self.0["results"][call].as_i64().unwrap_or(i64::MIN)
    }

    /// The result of the last call.
    #[must_use]
    pub fn last(&self) -> i64 {
        let results = self.0["results"].as_array();
        results.and_then(|results| results.last()?.as_i64()).unwrap_or(i64::MIN)
    }

    /// Fails if one of the calls failed.
    ///
    /// # Errors
    /// With all results.
    pub fn succeeded(self) -> Result<Self> {
        let results = self.0["results"].as_array().context("results")?;
        let failed = results.iter().any(|result| result.as_i64().is_none_or(|result| result < 0));
        ensure!(!failed, "a call failed: {:?}", self.0["results"]);
        Ok(self)
    }

    /// What the kernel has written to the zero bytes that were an argument.
    ///
    /// # Errors
    /// If that argument was none of them.
    pub fn buffer(&self, call: usize, argument: usize) -> Result<Vec<u8>> {
        let text = self.0["buffers"][format!("{call}.{argument}")].as_str().context("no such buffer")?;
        let byte = |at| u8::from_str_radix(text.get(at..at + 2).unwrap_or_default(), 16);
        Ok((0..text.len()).step_by(2).map(byte).collect::<Result<_, _>>()?)
    }

    /// What call number `call`, made by [`Calls::then_stat`], found on a file system of this type.
    ///
    /// # Errors
    /// If it was no such call.
    pub fn stat(&self, call: usize, filesystem: &str) -> Result<FileTruth> {
        FileTruth::of_buffer(&self.buffer(call, 4)?, filesystem)
    }
}

/// A path with `bytes` as its last component.
#[must_use]
pub fn join(directory: &Path, bytes: &[u8]) -> std::path::PathBuf {
    directory.join(OsString::from_vec(bytes.to_vec()))
}

/// Text as reports show it: bytes that are not UTF-8 as `\xHH`.
#[must_use]
pub fn shown(path: impl AsRef<OsStr>) -> String {
    let mut text = String::new();
    for chunk in path.as_ref().as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}
