//! The arguments of a process, and the flags and options that rules see in them.

use std::sync::OnceLock;

use crate::text::{Text, TextList};

/// The arguments of a process, the first one (by convention its name) included.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    /// All arguments as given.
    all: TextList,
    /// What `args_flags` reads; made when a rule or a report first asks for it.
    flags: OnceLock<TextList>,
    /// What `args_options` reads; made when a rule or a report first asks for it.
    options: OnceLock<TextList>,
}

impl Arguments {
    /// Arguments as given to `execve`.
    pub fn new(all: TextList) -> Self {
        Self { all, flags: OnceLock::new(), options: OnceLock::new() }
    }

    /// All arguments, argument 0 included.
    pub fn all(&self) -> &TextList {
        &self.all
    }

    /// Argument 0.
    #[inline]
    pub fn first(&self) -> &[u8] {
        self.all.get(0).unwrap_or_default()
    }

    /// The arguments joined by spaces, without argument 0.
    #[inline]
    pub fn joined(&self) -> &[u8] {
        self.all.joined_from(1)
    }

    /// The names of flags. A short one that is all letters and digits gives each of its characters: `-la` gives `l` and
    /// `a`. A name of more than one character without `=` gives itself too, long or short: `-la` gives `la` as well, `--all`
    /// gives `all`.
    pub fn flags(&self) -> &TextList {
        self.flags.get_or_init(|| flags(self.all.iter().skip(1)))
    }

    /// The options as `name=value`. The value stands behind an `=` or is the following argument, unless that begins with a
    /// dash. The name begins with a letter or digit.
    pub fn options(&self) -> &TextList {
        let arguments = || (1..self.all.len()).filter_map(|index| self.all.get(index));
        self.options.get_or_init(|| options(arguments()))
    }
}

impl From<TextList> for Arguments {
    fn from(all: TextList) -> Self {
        Self::new(all)
    }
}

/// Removes the one or two dashes an argument begins with; the flag tells whether there were two.
fn strip_dashes(argument: &[u8]) -> Option<(&[u8], bool)> {
    let name = argument.strip_prefix(b"-")?;
    Some(name.strip_prefix(b"-").map_or((name, false), |name| (name, true)))
}

/// What [`Arguments::flags`] tells of `arguments`, the first one not included.
fn flags<'a>(arguments: impl IntoIterator<Item = &'a [u8]>) -> TextList {
    let mut flags: Vec<&[u8]> = Vec::new();
    for argument in arguments {
        let Some((name, long)) = strip_dashes(argument) else { continue };
        if !long && name.iter().all(u8::is_ascii_alphanumeric) {
            flags.extend(name.chunks(1));
        }
        if name.len() > 1 && !name.contains(&b'=') {
            flags.push(name);
        }
    }
    flags.into_iter().collect()
}

/// What [`Arguments::options`] tells of `arguments`, the first one not included.
fn options<'a>(arguments: impl IntoIterator<Item = &'a [u8]>) -> TextList {
    let mut options: Vec<Text> = Vec::new();
    let mut arguments = arguments.into_iter().peekable();
    while let Some(argument) = arguments.next() {
        let Some((name, _)) = strip_dashes(argument) else { continue };
        if !name.first().is_some_and(u8::is_ascii_alphanumeric) {
            continue;
        }
        if name.contains(&b'=') {
            options.push(name.into());
        } else if let Some(value) = arguments.next_if(|next| !next.starts_with(b"-")) {
            options.push([name, b"=", value].concat().into());
        }
    }
    options.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared_data;

    fn list(elements: &TextList) -> Vec<String> {
        elements.iter().map(|e| String::from_utf8(e.to_vec()).unwrap()).collect()
    }

    #[test]
    fn argument_zero_is_not_an_argument() {
        let arguments = Arguments::new(["-sh", "-c", "id"].iter().collect());
        assert_eq!(arguments.first(), b"-sh");
        assert_eq!(arguments.joined(), b"-c id");
        assert_eq!(list(arguments.flags()), ["c"]);
        assert_eq!(list(arguments.options()), ["c=id"]);
    }

    #[test]
    fn documented_examples_hold() {
        let split = |line: &'static str| line.split(' ').map(str::as_bytes);
        assert_eq!(
            list(&flags(split("-abc --verbose -v --x=1 --a"))),
            ["a", "b", "c", "abc", "verbose", "v"]
        );
        assert_eq!(list(&options(split("--out file -n 3 --x=y"))), ["out=file", "n=3", "x=y"]);
        assert_eq!(list(&options([&b"-e"[..], b"", b"-x", b"-y"])), ["e="]);
    }

    #[test]
    fn shared_cases_pass() {
        for case in shared_data::json_lines("secl/args_parse_cases.jsonl") {
            let strings = |key: &str| -> Vec<String> {
                case[key].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
            };
            let argv = strings("argv_without_argv0");
            let argv = || argv.iter().map(String::as_bytes);
            assert_eq!(list(&flags(argv())), strings("args_flags"), "flags of {}", case["id"]);
            assert_eq!(list(&options(argv())), strings("args_options"), "options of {}", case["id"]);
        }
    }
}
