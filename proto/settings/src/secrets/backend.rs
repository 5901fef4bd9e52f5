//! The program that knows secrets. It gets `{"version": "1.0", "secrets": ["handle", …]}` on standard input and answers with
//! `{"handle": {"value": "…", "error": null}, …}` on standard output.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value as Json, json};

use super::Answers;
use crate::table::SecretBackend;

/// What is shown of the standard error of a program that failed.
const COMPLAINT_MAX: usize = 1_024;
/// Time between two looks at whether a program that closed its output has ended.
const END_LOOKS: Duration = Duration::from_millis(5);

/// What the handles stand for.
///
/// # Errors
/// If nobody can be asked, or the answer is none.
pub(super) fn ask(backend: &SecretBackend, handles: &BTreeSet<&str>) -> Result<Answers, String> {
    let Some(path) = &backend.command else {
        return Err("is a handle of a secret, and secret_backend_command is not set".to_owned());
    };
    let failed = |reason: String| format!("secret_backend_command {}: {reason}", path.display());
    check_rights(path, backend.group_may_execute).map_err(failed)?;
    let question = json!({ "version": "1.0", "secrets": handles }).to_string();
    let mut command = Command::new(path);
    command.args(&backend.arguments);
    let limit = usize::try_from(backend.output_max_size.0).unwrap_or(usize::MAX);
    let answer = run(&mut command, question.as_bytes(), backend.timeout, limit).map_err(failed)?;
    understand(&answer, backend.trim_line_break).map_err(failed)
}

/// Whether nobody but its owner, who is this user, has a say in what it does.
fn check_rights(path: &Path, group_may_execute: bool) -> Result<(), String> {
    let file = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !file.is_file() {
        return Err("is not a file".to_owned());
    }
    let (mode, user) = (file.mode(), rustix::process::geteuid().as_raw());
    if mode & 0o007 != 0 {
        return Err(format!("others may use it (mode {:o}): expected 700 or less", mode & 0o7777));
    }
    if mode & 0o020 != 0 || (mode & 0o070 != 0 && !group_may_execute) {
        return Err(format!(
            "its group may use it (mode {:o}): expected 700 or less, or 750 or less with \
             secret_backend_command_allow_group_exec_perm",
            mode & 0o7777
        ));
    }
    // What belongs to root and a group of this user may be used like that.
    if file.uid() != user && !(group_may_execute && file.uid() == 0) {
        return Err(format!("belongs to user {} and not to user {user}, who this process is", file.uid()));
    }
    Ok(())
}

/// Runs it with `input`, and gives what it prints.
fn run(command: &mut Command, input: &[u8], timeout: Duration, limit: usize) -> Result<Vec<u8>, String> {
    // A group of its own, so that all of it can be ended.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|error| format!("does not start: {error}"))?;
    let deadline = Instant::now() + timeout;
    let result = talk(&mut child, input, deadline, limit);
    if result.is_err() {
        end(&mut child);
    }
    let (status, output, complaints) = result?;
    if !status.success() {
        let shown = String::from_utf8_lossy(&complaints);
        let shown: String = shown.trim().chars().take(COMPLAINT_MAX).flat_map(char::escape_debug).collect();
        return Err(format!("ended with {status}: {shown}"));
    }
    Ok(output)
}

/// Writes, reads both outputs and waits for the end, without a thread, as privileges are those of a thread.
fn talk(
    child: &mut Child,
    mut input: &[u8],
    deadline: Instant,
    limit: usize,
) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), String> {
    let text = |error: std::io::Error| error.to_string();
    let (mut stdin, mut stdout, mut stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    for descriptor in
        [stdin.as_ref().map(AsFd::as_fd), stdout.as_ref().map(AsFd::as_fd), stderr.as_ref().map(AsFd::as_fd)]
            .into_iter()
            .flatten()
    {
        let flags = fcntl_getfl(descriptor).map_err(|error| error.to_string())?;
        fcntl_setfl(descriptor, flags | OFlags::NONBLOCK).map_err(|error| error.to_string())?;
    }
    let (mut output, mut complaints) = (Vec::new(), Vec::new());
    while stdin.is_some() || stdout.is_some() || stderr.is_some() {
        wait(
            stdin.as_ref().map(AsFd::as_fd),
            [stdout.as_ref().map(AsFd::as_fd), stderr.as_ref().map(AsFd::as_fd)],
            deadline,
        )?;
        if let Some(pipe) = &mut stdin {
            match rustix::io::write(&*pipe, input) {
                Ok(written) => input = input.get(written..).unwrap_or_default(),
                Err(Errno::AGAIN | Errno::INTR) => {}
                // It has read enough to know its answer.
                Err(Errno::PIPE) => input = &[],
                Err(error) => return Err(error.to_string()),
            }
            if input.is_empty() {
                stdin = None;
            }
        }
        if !read_some(stdout.as_mut(), &mut output).map_err(text)? {
            stdout = None;
        }
        if output.len() > limit {
            return Err(format!("answers with more than {limit} bytes (secret_backend_output_max_size)"));
        }
        if !read_some(stderr.as_mut(), &mut complaints).map_err(text)? {
            stderr = None;
        }
        complaints.truncate(COMPLAINT_MAX * 4);
    }
    loop {
        if let Some(status) = child.try_wait().map_err(text)? {
            return Ok((status, output, complaints));
        }
        remaining(deadline)?;
        std::thread::sleep(END_LOOKS);
    }
}

/// Reads what is there. False: there will be no more.
fn read_some(pipe: Option<&mut impl Read>, to: &mut Vec<u8>) -> std::io::Result<bool> {
    let Some(pipe) = pipe else { return Ok(false) };
    let mut buffer = [0; 4096];
    match pipe.read(&mut buffer) {
        Ok(0) => Ok(false),
        Ok(count) => {
            to.extend_from_slice(buffer.get(..count).unwrap_or_default());
            Ok(true)
        }
        Err(error) if is_later(&error) => Ok(true),
        Err(error) => Err(error),
    }
}

fn is_later(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Waits until one of them can be used.
fn wait(
    write: Option<std::os::fd::BorrowedFd<'_>>,
    read: [Option<std::os::fd::BorrowedFd<'_>>; 2],
    deadline: Instant,
) -> Result<(), String> {
    let left = Timespec::try_from(remaining(deadline)?).map_err(|error| error.to_string())?;
    let write = write.into_iter().map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::OUT));
    let read = read.into_iter().flatten().map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::IN));
    let mut descriptors: Vec<PollFd<'_>> = write.chain(read).collect();
    match poll(&mut descriptors, Some(&left)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

fn remaining(deadline: Instant) -> Result<Duration, String> {
    let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
    left.ok_or_else(|| "does not answer in time (secret_backend_timeout)".to_owned())
}

/// Ends it with all that it has started.
fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended by itself.
        let _gone = kill_process_group(group, Signal::KILL);
    }
    let _gone = child.wait();
}

/// What an answer says, in which nothing may be but handles with their values.
fn understand(answer: &[u8], trim_line_break: bool) -> Result<Answers, String> {
    let Ok(Json::Object(answer)) = serde_json::from_slice::<Json>(answer) else {
        // Not what it says instead: there may be secrets in it.
        return Err("does not answer with a JSON object".to_owned());
    };
    let mut answers = BTreeMap::new();
    for (handle, about) in answer {
        let error = about["error"].as_str().filter(|error| !error.is_empty());
        let value = match (error, about["value"].as_str()) {
            (Some(error), _) => Err(error.chars().take(COMPLAINT_MAX).flat_map(char::escape_debug).collect()),
            (None, Some(value)) if trim_line_break => Ok(value.trim_end_matches(['\r', '\n']).to_owned()),
            (None, Some(value)) => Ok(value.to_owned()),
            (None, None) => Err("has neither value nor error in the answer".to_owned()),
        };
        answers.insert(handle, value);
    }
    Ok(answers)
}
