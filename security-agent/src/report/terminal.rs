//! A signal as one line for a person at a terminal.
//!
//! What it shows was chosen by the processes that are watched, who may be hostile to whoever reads: nothing of it reaches
//! the terminal that the terminal would obey, nothing that would change the order of the text, and none of it is long.

use std::fmt::Write as _;

use model::report::Scrub;
use model::{Event, Process, lossy};

/// Longest that any one part of the line may be, in characters.
const PART_CHARS: usize = 240;
/// Ancestors that are shown.
const ANCESTORS: usize = 6;

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to use colours.
    pub colour: bool,
}

/// What the line says about the rule.
#[derive(Debug, Clone, Copy)]
pub struct Headline<'a> {
    /// Id of the rule.
    pub rule_id: &'a str,
    /// Its description.
    pub description: &'a str,
    /// Its tags.
    pub tags: &'a [String],
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A signal.
    #[must_use]
    pub fn signal(self, headline: Headline<'_>, event: &Event, scrub: &dyn Scrub) -> String {
        let process = &event.process;
        let mut line = self.begin(event.context.timestamp, headline.rule_id, severity_colour(headline.tags));
        if !headline.description.is_empty() {
            let _infallible = write!(line, "  {}", printable(headline.description));
        }
        let command = command_line(process, scrub);
        let _infallible = write!(line, "\n    {} {}", event.kind().name(), self.paint("1", &command));
        let chain = chain(process);
        if !chain.is_empty() {
            let _infallible = write!(line, "{}", self.paint("2", &format!(" ← {chain}")));
        }
        let user = process.credentials.user.as_bytes();
        let user = if user.is_empty() { process.credentials.uid.to_string() } else { printable_bytes(user) };
        let _infallible = write!(line, "  user={user}");
        if let Some(container) = &process.container {
            let id: String = printable_bytes(&container.id).chars().take(12).collect();
            let _infallible = write!(line, " container={id}");
        }
        if !process.tty_name.is_empty() {
            let _infallible = write!(line, " tty={}", printable_bytes(&process.tty_name));
        }
        line
    }

    /// An event about the agent itself.
    #[must_use]
    pub fn own(self, time_ns: u64, name: &str, text: &str) -> String {
        format!("{}  {}", self.begin(time_ns, name, "36"), printable(text))
    }

    fn begin(self, time_ns: u64, rule_id: &str, colour: &str) -> String {
        format!("{} {}", self.paint("2", &clock(time_ns)), self.paint(colour, &printable(rule_id)))
    }
}

/// The colour of a rule's severity, if its tags tell one.
fn severity_colour(tags: &[String]) -> &'static str {
    let severity = tags.iter().find_map(|tag| tag.strip_prefix("severity:")).unwrap_or_default();
    match severity {
        "critical" => "1;97;41",
        "high" => "1;31",
        "low" | "info" => "34",
        _ => "1;33",
    }
}

/// `HH:MM:SS.mmm`, UTC.
fn clock(time_ns: u64) -> String {
    let date = model::report::rfc3339(time_ns).unwrap_or_default();
    date.split_once('T').map_or("--:--:--.---", |(_, time)| time.get(..12).unwrap_or(time)).to_owned()
}

fn command_line(process: &Process, scrub: &dyn Scrub) -> String {
    let path = &process.image.file.path;
    let program = if path.is_empty() { &process.comm } else { path };
    let mut line = printable_bytes(program);
    let arguments = process.image.arguments.all().iter().skip(1);
    for argument in scrub.arguments(arguments.map(|argument| lossy(argument).into_owned()).collect()) {
        line.push(' ');
        let is_plain = !argument.is_empty() && !argument.contains([' ', '"', '\'']);
        line.push_str(&if is_plain { printable(&argument) } else { format!("'{}'", printable(&argument)) });
        if line.chars().count() > PART_CHARS {
            break;
        }
    }
    let mut line = shortened(&line);
    let _infallible = write!(line, " [{}]", process.pid);
    line
}

fn chain(process: &Process) -> String {
    let mut names = Vec::new();
    let mut last = (process.pid, process.start_time);
    for ancestor in process.ancestors() {
        // Earlier programs of the same process would only repeat its number.
        if (ancestor.pid, ancestor.start_time) == last {
            continue;
        }
        last = (ancestor.pid, ancestor.start_time);
        if names.len() == ANCESTORS {
            names.push("…".to_owned());
            break;
        }
        let name = ancestor.image.file.name();
        let name = if name.is_empty() { ancestor.comm.as_bytes() } else { name };
        names.push(format!("{}[{}]", shortened(&printable_bytes(name)), ancestor.pid));
    }
    names.join(" ← ")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(PART_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn printable_bytes(bytes: &[u8]) -> String {
    printable(&lossy(bytes))
}

/// `text` without anything that a terminal obeys or that changes how the rest is shown: control characters, line breaks,
/// marks of writing direction, characters without width. Each is written as an escape.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars().take(PART_CHARS * 2) {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if is_unsafe(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shortened(&shown)
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::report::NoScrub;
    use model::{Arguments, Context, Credentials, File, Image, Lineage, Payload, payload};

    use super::*;

    fn process(pid: u32, path: &str, argv: &[&str], above: Option<Process>) -> Process {
        let file = File { path: path.into(), ..File::default() };
        let arguments = Arguments::new(argv.iter().collect());
        Process {
            pid,
            start_time: u64::from(pid),
            image: Arc::new(Image { file, arguments, ..Image::default() }),
            credentials: Credentials { user: "root".into(), ..Credentials::default() },
            lineage: Lineage::new(above.map(Arc::new)),
            ..Process::default()
        }
    }

    fn line(process: Process) -> String {
        let context = Context { timestamp: 3_723_004_000_000, ..Context::default() };
        let event = Event::new(context, Arc::new(process), Payload::Exec(payload::Exec::default()));
        let headline = Headline { rule_id: "my_rule", description: "Something", tags: &[] };
        Style { colour: false }.signal(headline, &event, &NoScrub)
    }

    #[test]
    fn a_signal_shows_what_ran_and_where_it_came_from() {
        let init = process(1, "/sbin/init", &["init"], None);
        let shell = process(7, "/bin/sh", &["sh"], Some(init));
        let forked = process(9, "/bin/sh", &["sh"], Some(shell));
        let cat = process(9, "/bin/cat", &["cat", "/etc/shadow", "a b"], Some(forked));
        assert_eq!(
            line(cat),
            "01:02:03.004 my_rule  Something\n    exec /bin/cat /etc/shadow 'a b' [9] ← sh[7] ← init[1]  user=root"
        );
    }

    #[test]
    fn hostile_arguments_do_not_reach_the_terminal() {
        let evil = "\x1b]0;owned\x07\u{202e}x\u{9b}31m\r\n\u{200b}";
        let shown = line(process(9, "/tmp/\x1b[2J", &["x", evil], None));
        assert!(shown.lines().count() == 2, "{shown}");
        assert!(!shown.chars().any(|c| c != '\n' && is_unsafe(c)), "{shown:?}");
        assert!(shown.contains("\\u{1b}]0;owned\\u{7}\\u{202e}x\\u{9b}31m\\r\\n\\u{200b}"), "{shown}");
    }

    #[test]
    fn long_arguments_are_cut() {
        let long = "y".repeat(100_000);
        let many: Vec<&str> = std::iter::repeat_n("zz", 10_000).collect();
        assert!(line(process(9, "/bin/x", &["x", &long], None)).chars().count() < 600);
        assert!(line(process(9, "/bin/x", &many, None)).chars().count() < 600);
    }

    #[test]
    fn colours_are_only_there_when_wanted() {
        assert!(Style { colour: true }.own(0, "heartbeat", "all is well").contains('\x1b'));
        assert_eq!(
            Style { colour: false }.own(0, "heartbeat", "all\x1b is well"),
            "--:--:--.--- heartbeat  all\\u{1b} is well"
        );
    }
}
