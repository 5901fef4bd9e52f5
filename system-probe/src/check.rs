//! `system-probe check`: what this kernel can do, and how each event is watched.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use proto::v1;
use proto::v1::observation::State;
use proto::wire::Kind;
use proto::wire::Record;
use serde_json::json;
use settings::Environment;
use settings::HostPaths;

use crate::VERSION;
use crate::cli::CheckArgs;
use crate::kernel::Kernel as _;
use crate::loader::Watcher;
use crate::loader::source;
use crate::privileges;
use crate::run;

/// Records by kind, "bad" for those that are none.
type Counts = BTreeMap<&'static str, u64>;

/// All that is found out.
struct Report {
    kernel: String,
    facts: Vec<v1::Fact>,
    observations: Vec<v1::Observation>,
    /// What the programs cost the verifier, in instructions, where the kernel tells.
    verified: BTreeMap<String, u64>,
    /// None unless asked for.
    events: Option<Counts>,
}

/// Finds out, prints it, detaches everything.
///
/// # Errors
///
/// What keeps it from finding out anything: missing privileges, a bad configuration.
pub fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let settings = run::load_settings(&args.config.config)?.value;
    privileges::check()?;
    privileges::raise_limits();
    let host = HostPaths::detect(&Environment::of_this_process());
    // All in one load: each refusal costs another.
    let all = Kind::ALL.iter().copied().collect();
    let watcher = run::watcher(&settings, &host, &all, args.plan.plan)?;
    watcher.attach();
    let kinds = all.iter().map(|kind| kind.number()).collect();
    watcher.configure(&v1::ConfigureRequest { kinds, ..v1::ConfigureRequest::default() });
    let events = args.events.map(|duration| count_events(&watcher, duration)).transpose()?;
    let report = Report {
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        facts: watcher.facts(),
        observations: watcher.observations(),
        verified: watcher.verified(),
        events,
    };
    watcher.detach();
    watcher.close();
    if args.json {
        println!("{:#}", report.to_json());
    } else {
        print!("{}", report.to_text());
    }
    Ok(if report.unavailable().next().is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn count_events(watcher: &Watcher, duration: Duration) -> anyhow::Result<Counts> {
    let counts = Arc::new(Mutex::new(Counts::new()));
    let sink = Arc::clone(&counts);
    let mut source = source(watcher.maps(), move |bytes| {
        let name = Record::parse(bytes).map_or("bad", |record| record.kind().name());
        *sink.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
    })?;
    let end = Instant::now() + duration;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        source.poll(left.min(Duration::from_millis(200)))?;
    }
    let counts = counts.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(counts)
}

fn state_name(observation: &v1::Observation) -> &'static str {
    match observation.state() {
        State::Active => "active",
        State::Idle => "ready",
        State::Partial => "partial",
        State::Unavailable | State::Unspecified => "unavailable",
    }
}

impl Report {
    fn unavailable(&self) -> impl Iterator<Item = &v1::Observation> {
        self.observations.iter().filter(|seen| seen.state() == State::Unavailable)
    }

    fn to_text(&self) -> String {
        let mut text = format!("system-probe {VERSION} on Linux {}\n\nThis kernel\n", self.kernel);
        for fact in &self.facts {
            let mark = if fact.available { "yes" } else { "no" };
            line(&mut text, &[("", 2), (mark, 5), (&fact.name, 20), (&fact.detail, 0)]);
        }
        text.push_str("\nHow it is watched\n");
        for seen in &self.observations {
            let (state, programs) = (state_name(seen), summary(&seen.programs));
            line(&mut text, &[("", 2), (state, 13), (&seen.name, 26), (&programs, 0)]);
            if !seen.reason.is_empty() {
                line(&mut text, &[("", 15), (&seen.reason, 0)]);
            }
        }
        if let Some(events) = &self.events {
            text.push_str("\nEvents\n");
            for (kind, count) in events {
                line(&mut text, &[("", 2), (kind, 18), (&count.to_string(), 0)]);
            }
        }
        let lost: Vec<_> = self.unavailable().map(|seen| seen.name.as_str()).collect();
        let partial = self.observations.iter().filter(|seen| seen.state() == State::Partial).count();
        let full = self.observations.len().saturating_sub(partial + lost.len());
        // Writing to a String does not fail.
        let _ = writeln!(text, "\nCan be watched: {full} in full, {partial} in part, {} not.", lost.len());
        if !lost.is_empty() {
            let _ = writeln!(text, "Can't be watched here: {}.", lost.join(", "));
        }
        text
    }

    fn to_json(&self) -> serde_json::Value {
        let facts = self.facts.iter();
        let observations = self.observations.iter();
        json!({
            "version": VERSION,
            "kernel": self.kernel,
            "ok": self.unavailable().next().is_none(),
            "facts": facts
                .map(|fact| json!({"name": fact.name, "available": fact.available, "detail": fact.detail}))
                .collect::<Vec<_>>(),
            "observations": observations
                .map(|seen| json!({
                    "name": seen.name,
                    "state": state_name(seen),
                    "programs": seen.programs,
                    "reason": seen.reason,
                }))
                .collect::<Vec<_>>(),
            "verified_instructions": self.verified,
            "events": self.events,
        })
    }
}

/// One line of columns, each padded to its width.
fn line(text: &mut String, columns: &[(&str, usize)]) {
    let start = text.len();
    for (column, width) in columns {
        let _ = write!(text, "{column:<width$}");
    }
    let end = text[start..].trim_end().len();
    text.truncate(start + end);
    text.push('\n');
}

/// The first programs; the others of a long list are like them.
fn summary(programs: &[String]) -> String {
    const SHOWN: usize = 2;
    let shown = programs.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match programs.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(state: State) -> Report {
        let fact = |name: &str, available| v1::Fact { name: name.into(), available, detail: "detail".into() };
        let observation = v1::Observation {
            name: "process.exec".into(),
            kinds: vec![2],
            state: i32::from(state),
            programs: ["a", "b", "c"].map(str::to_owned).into(),
            reason: "because".into(),
        };
        Report {
            kernel: "1.2.3".into(),
            facts: vec![fact("btf", true), fact("lsm", false)],
            observations: vec![observation],
            verified: [("on_exec".to_owned(), 12_345)].into(),
            events: Some([("exec", 3)].into()),
        }
    }

    #[test]
    fn the_text_says_what_works_and_why_not() {
        let expected = format!(
            "system-probe {VERSION} on Linux 1.2.3\n\nThis kernel\n  yes  btf                 detail\n  \
             no   lsm                 detail\n\nHow it is watched\n  unavailable  process.exec              a, b and 1 more\n\
             {}because\n\nEvents\n  exec              3\n\nCan be watched: 0 in full, 0 in part, 1 not.\n\
             Can't be watched here: process.exec.\n",
            " ".repeat(15)
        );
        assert_eq!(report(State::Unavailable).to_text(), expected);
    }

    #[test]
    fn what_is_watched_in_part_is_not_called_watched() {
        let last = |state| report(state).to_text().lines().last().unwrap().to_owned();
        assert_eq!(last(State::Partial), "Can be watched: 0 in full, 1 in part, 0 not.");
        assert_eq!(last(State::Active), "Can be watched: 1 in full, 0 in part, 0 not.");
        assert_eq!(last(State::Idle), "Can be watched: 1 in full, 0 in part, 0 not.");
    }

    #[test]
    fn json_says_the_same() {
        let json = report(State::Partial).to_json();
        assert_eq!(json["ok"], true);
        assert_eq!(json["observations"][0]["state"], "partial");
        assert_eq!(json["events"]["exec"], 3);
        assert_eq!(json["verified_instructions"]["on_exec"], 12_345);
        assert_eq!(report(State::Unavailable).to_json()["ok"], false);
    }
}
