//! New programs.

use model::environment::ShownWithValue;
use model::{Arguments, File, Image, Text, TextList};
use proto::wire::Record;
use proto::wire::layout::{
    ERROR_ARGS, ERROR_ENVS, ERROR_FILE, ERROR_INTERPRETER, EXEC_FLAG_ARGS_CHUNKED, EXEC_FLAG_ARGS_TRUNCATED,
    EXEC_FLAG_BY_DESCRIPTOR, EXEC_FLAG_ENVS_CHUNKED, EXEC_FLAG_ENVS_TRUNCATED, EXEC_FLAG_FILENAME_TRUNCATED,
    EXEC_FLAG_INTERPRETED, exec_body, span,
};

use super::chunks::{Assembled, ExecChunks};
use super::file::file;
use super::{Data, until_nul};
use crate::resolve::users::Users;

/// A process runs a new program.
#[derive(Debug)]
pub struct Exec<'r> {
    /// The program and its arguments.
    pub image: Image,
    /// Name of the controlling terminal; empty: none.
    pub tty_name: &'r [u8],
    /// Path of the process's control group; empty if it could not be read.
    pub cgroup_path: &'r [u8],
    /// The program as the caller named it; may be relative to its working directory.
    pub filename: &'r [u8],
}

pub(super) fn exec<'r>(
    record: &Record<'r>,
    body: &exec_body,
    chunks: Option<ExecChunks>,
    users: &Users,
    shown_envs: &ShownWithValue,
) -> Exec<'r> {
    let errors = record.header().errors;
    let failed = |bit: u32| errors & bit != 0;
    let flag = |bit: u32| body.flags & bit != 0;
    let chunks = chunks.unwrap_or_default();

    let filename = Data::of(record, body.filename).bytes();
    let mut program = file(record, &body.file, failed(ERROR_FILE), users);
    if !flag(EXEC_FLAG_BY_DESCRIPTOR) && !flag(EXEC_FLAG_FILENAME_TRUNCATED) {
        let cwd = Data::of(record, body.cwd).bytes();
        program.symlink_path = symlink_path(filename, cwd, &program.path);
    }
    let interpreter: Option<Box<File>> = flag(EXEC_FLAG_INTERPRETED)
        .then(|| Box::new(file(record, &body.interpreter, failed(ERROR_INTERPRETER), users)));

    let args_cut = flag(EXEC_FLAG_ARGS_TRUNCATED) || failed(ERROR_ARGS);
    let envs_cut = flag(EXEC_FLAG_ENVS_TRUNCATED) || failed(ERROR_ENVS);
    let (arguments, args_truncated) =
        block(record, body.args, flag(EXEC_FLAG_ARGS_CHUNKED), &chunks.args, args_cut);
    let arguments = if interpreter.is_some() { own_arguments(arguments, filename) } else { arguments };
    let (envs, envs_truncated) =
        block(record, body.envs, flag(EXEC_FLAG_ENVS_CHUNKED), &chunks.envs, envs_cut);

    Exec {
        image: Image {
            args_truncated,
            envp: TextList::from_nul_separated(envs),
            envs_truncated,
            shown_envs: shown_envs.clone(),
            file: program,
            interpreter,
            arguments: Arguments::new(TextList::from_nul_separated(arguments)),
        },
        tty_name: tty(record, body),
        cgroup_path: Data::of(record, body.cgroup_path).bytes(),
        filename,
    }
}

/// The NUL-separated strings of a block, and whether some are missing.
fn block<'a>(
    record: &Record<'a>,
    inline: span,
    chunked: bool,
    chunks: &'a Assembled,
    cut: bool,
) -> (&'a [u8], bool) {
    if chunked {
        // No piece came at all: they were lost on the way.
        let lost = chunks.incomplete || chunks.bytes.is_empty();
        return (&chunks.bytes, cut || lost);
    }
    let data = Data::of(record, inline);
    (data.bytes(), cut || data == Data::Damaged)
}

/// The arguments of a script, without what the kernel put in front of them: `#!/bin/sh -e` turns `./script a` into
/// `/bin/sh -e ./script a`. The script's name stands there as the caller gave it.
fn own_arguments<'a>(arguments: &'a [u8], filename: &[u8]) -> &'a [u8] {
    let mut rest = arguments;
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        rest = &rest[end + 1..];
        if rest.strip_prefix(filename).is_some_and(|behind| behind.first().is_none_or(|byte| *byte == 0)) {
            return rest;
        }
    }
    arguments
}

/// The terminal's name borrows from the record, not from the copied body.
fn tty<'r>(record: &Record<'r>, body: &exec_body) -> &'r [u8] {
    let name = until_nul(&body.tty);
    if name.is_empty() {
        return &[];
    }
    let start = size_of::<proto::wire::layout::record_header>()
        + size_of::<proto::wire::layout::task_context>()
        + std::mem::offset_of!(exec_body, tty);
    record.bytes().get(start..start + name.len()).unwrap_or_default()
}

/// The path by which the program was executed, if it is another one than that of the file: there is a symbolic link in
/// it. `..` after a link leads elsewhere than the text says, so a name with `..` gives none.
fn symlink_path(filename: &[u8], cwd: &[u8], path: &[u8]) -> Text {
    let named = if filename.starts_with(b"/") {
        clean(&[filename])
    } else if cwd.starts_with(b"/") && !filename.is_empty() {
        clean(&[cwd, filename])
    } else {
        None
    };
    match named {
        Some(named) if named != path && !path.is_empty() => named.into(),
        _ => Text::EMPTY,
    }
}

/// The parts joined, without empty components and `.`; `None` if there is a `..`.
fn clean(parts: &[&[u8]]) -> Option<Vec<u8>> {
    let mut cleaned = Vec::new();
    for component in parts.iter().flat_map(|part| part.split(|byte| *byte == b'/')) {
        match component {
            b"" | b"." => {}
            b".." => return None,
            component => {
                cleaned.push(b'/');
                cleaned.extend_from_slice(component);
            }
        }
    }
    Some(cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_has_the_arguments_that_it_was_given() {
        let own = |arguments: &'static str, filename: &str| {
            own_arguments(arguments.as_bytes(), filename.as_bytes())
                .escape_ascii()
                .to_string()
                .replace("\\x00", "|")
        };
        assert_eq!(own("/bin/sh\0./s\0a\0", "./s"), "./s|a|");
        assert_eq!(own("/bin/sh\0-e -u\0./s\0./s\0", "./s"), "./s|./s|");
        assert_eq!(
            own("/usr/bin/awk\0-f\0/x/outer\0-v\0./s\0a b\0", "./s"),
            "./s|a b|",
            "an interpreter that is a script"
        );
        assert_eq!(own("/bin/sh\0./s", "./s"), "./s", "cut");
        assert_eq!(own("/bin/sh\0./script\0", "./s"), "/bin/sh|./script|", "another name");
        assert_eq!(own("", "./s"), "");
    }

    #[test]
    fn a_name_that_leads_through_a_link_is_kept() {
        let link = |filename: &str, cwd: &str, path: &str| {
            symlink_path(filename.as_bytes(), cwd.as_bytes(), path.as_bytes()).to_string()
        };
        assert_eq!(link("/bin/wget", "", "/usr/bin/busybox"), "/bin/wget");
        assert_eq!(link("./wget", "/opt/bin/", "/usr/bin/busybox"), "/opt/bin/wget");
        assert_eq!(link("/usr//bin/./busybox", "", "/usr/bin/busybox"), "", "the same path");
        assert_eq!(link("/a/link/../wget", "", "/usr/bin/busybox"), "", "where that leads is unknown");
        assert_eq!(link("wget", "", "/usr/bin/busybox"), "", "relative to an unknown directory");
        assert_eq!(link("/bin/x", "", ""), "", "nothing to compare with");
    }
}
