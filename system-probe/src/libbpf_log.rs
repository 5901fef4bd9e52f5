//! What libbpf prints: its error codes say that loading failed, its messages which program and why.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use libbpf_rs::PrintLevel;
use libbpf_rs::set_print;

/// Messages that are kept. The verifier's log comes as one.
const MESSAGES_MAX: usize = 64;
/// Bytes kept of one message: its beginning, which names the program, and its end, where the verifier says what is wrong.
const MESSAGE_SIZE_MAX: usize = 2048;
const MESSAGE_BEGINNING: usize = 256;

/// The messages of the capture that runs.
static MESSAGES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// One capture at a time: libbpf has one place to print for the whole process.
static CAPTURING: Mutex<()> = Mutex::new(());

/// Runs `work`; what libbpf says meanwhile is given back and not printed.
pub(crate) fn capture<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    let _capturing = CAPTURING.lock().unwrap_or_else(PoisonError::into_inner);
    let before = set_print(Some((PrintLevel::Info, keep)));
    let result = work();
    set_print(before);
    (result, std::mem::take(&mut *messages()))
}

fn messages() -> MutexGuard<'static, Vec<String>> {
    MESSAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(_: PrintLevel, message: String) {
    let mut messages = messages();
    if messages.len() < MESSAGES_MAX {
        messages.push(shortened(message.trim_end()));
    }
}

fn shortened(message: &str) -> String {
    if message.len() <= MESSAGE_SIZE_MAX {
        return message.to_owned();
    }
    let boundary = |at: usize| (at..message.len()).find(|at| message.is_char_boundary(*at)).unwrap_or(at);
    let begin = boundary(MESSAGE_BEGINNING);
    // A line of its own, and room for a character that is cut.
    let end = boundary(message.len() - (MESSAGE_SIZE_MAX - MESSAGE_BEGINNING - 8));
    format!("{}\n{}", message.get(..begin).unwrap_or_default(), message.get(end..).unwrap_or_default())
}

/// The program that could not be loaded, and what libbpf says of it.
///
/// Messages about a program start with `prog 'NAME': ` (libbpf.c), after the prefix `libbpf: `. The first one that
/// does not just introduce the verifier's log is the reason; with that log, its last lines are.
pub(crate) fn refused_program(messages: &[String]) -> Option<(String, String)> {
    let parsed: Vec<_> = messages.iter().filter_map(|message| parse(message)).collect();
    let (program, reason) = parsed.first()?;
    let verifier = parsed.iter().filter(|(name, _)| name == program).find_map(|(_, text)| last_words(text));
    let reason = verifier.map_or_else(|| (*reason).to_owned(), |words| format!("{reason}: {words}"));
    Some(((*program).to_owned(), reason))
}

fn parse(message: &str) -> Option<(&str, &str)> {
    let message = message.strip_prefix("libbpf: ").unwrap_or(message);
    message.strip_prefix("prog '")?.split_once("': ")
}

/// What the verifier says at the end of its log, before the statistics.
fn last_words(text: &str) -> Option<&str> {
    let (_, log) = text.split_once("-- BEGIN PROG LOAD LOG --")?;
    let lines = log.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut words = lines.filter(|line| !line.starts_with("processed ") && !line.starts_with("-- END"));
    words.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refused_program_and_the_verifiers_words_are_found() {
        let messages = [
            "libbpf: loading object 'cws_bpf' from buffer",
            "libbpf: prog 'on_exec': BPF program load failed: -EACCES",
            "libbpf: prog 'on_exec': -- BEGIN PROG LOAD LOG --\n0: (b7)\nR1 invalid mem access\n\
             processed 3 insns (limit 1000000)\n-- END PROG LOAD LOG --",
            "libbpf: prog 'on_exec': failed to load: -EACCES",
            "libbpf: failed to load object 'cws_bpf'",
        ]
        .map(str::to_owned);
        let expected = "BPF program load failed: -EACCES: R1 invalid mem access";
        assert_eq!(refused_program(&messages), Some(("on_exec".to_owned(), expected.to_owned())));
    }

    #[test]
    fn a_missing_attach_point_names_the_program_as_well() {
        let messages =
            ["libbpf: prog 'on_fork': failed to find kernel BTF type ID of 'x': -ESRCH".to_owned()];
        assert_eq!(refused_program(&messages).unwrap().0, "on_fork");
    }

    #[test]
    fn messages_about_anything_else_name_no_program() {
        let messages = ["libbpf: map 'events': failed to create: -EPERM".to_owned(), String::new()];
        assert_eq!(refused_program(&messages), None);
    }

    #[test]
    fn a_long_message_keeps_its_beginning_and_its_end() {
        let long = format!("begin {}é end", "é".repeat(4000));
        let ((), kept) = capture(|| keep(PrintLevel::Warn, long));
        assert!(kept[0].len() <= MESSAGE_SIZE_MAX && kept[0].ends_with("é end"));
        assert!(kept[0].starts_with("begin é"));
    }

    #[test]
    fn a_long_log_of_the_verifier_still_names_its_program() {
        let log = format!(
            "libbpf: prog 'on_exec': -- BEGIN PROG LOAD LOG --\n{}R1 invalid\nprocessed 3 insns\n-- END PROG LOAD LOG --",
            "0: (b7)\n".repeat(4000)
        );
        let ((), kept) = capture(|| {
            keep(PrintLevel::Warn, "libbpf: prog 'on_exec': BPF program load failed: -EACCES".to_owned());
            keep(PrintLevel::Warn, log);
        });
        let expected = "BPF program load failed: -EACCES: R1 invalid";
        assert_eq!(refused_program(&kept), Some(("on_exec".to_owned(), expected.to_owned())));
    }
}
