//! Nothing is lost silently: what was done is what was reported, what was dropped because no rule needs it, and what was
//! counted as lost.

use anyhow::Result;
use integration_tests::harness::{Pair, Setup, can_run};
use serde_json::Value;

/// Opens in all; `CWS_OPENS` sets another number.
const OPENS: u64 = 1_000_000;
const PROCESSES: u64 = 4;

/// What `status` has counted of one kind of events.
#[derive(Debug, Clone, Copy)]
struct Counted {
    reported: u64,
    filtered: u64,
    /// Records that there were.
    lost: u64,
    /// Events for which the program was not run, of whatever file.
    skipped: u64,
}

impl Counted {
    fn of(pair: &Pair, kind: &str) -> Result<Self> {
        let status = pair.status()?;
        let losses = |status: &Value, skipped: bool| -> u64 {
            let all = status["agent"]["pipeline"]["losses"].as_array().cloned().unwrap_or_default();
            all.iter()
                .filter(|loss| loss["event_type"] == kind && (loss["reason"] == "program_skipped") == skipped)
                .filter_map(|loss| loss["count"].as_u64())
                .sum()
        };
        Ok(Self {
            reported: status["agent"]["pipeline"]["counters"]["records"][kind].as_u64().unwrap_or(0),
            filtered: status["probe"]["filtered"][kind].as_u64().unwrap_or(0),
            lost: losses(&status, false),
            skipped: losses(&status, true),
        })
    }

    fn since(self, before: Self) -> Self {
        Self {
            reported: self.reported - before.reported,
            filtered: self.filtered - before.filtered,
            lost: self.lost - before.lost,
            skipped: self.skipped - before.skipped,
        }
    }

    /// `watched` and `unwatched` were done, each of which is one event; others on this machine may have done more that no
    /// rule needs.
    fn check(self, kind: &str, watched: u64, unwatched: u64) {
        println!("{kind}: {watched} watched and {unwatched} other ones done, {self:?}");
        let Self { reported, filtered, lost, skipped } = self;
        // The file is known, of a name that has just been made or is about to go as well, and with it whether a rule needs
        // it: what is more than that was reported twice.
        assert!(reported + lost <= watched, "{kind}: more reported than was done");
        assert!(reported + lost + skipped >= watched, "{kind}: lost silently");
        assert!(reported + filtered + lost + skipped >= watched + unwatched, "{kind}: dropped silently");
    }
}

#[test]
fn what_was_done_is_reported_filtered_or_counted_as_lost() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let opens = std::env::var("CWS_OPENS").ok().and_then(|text| text.parse().ok()).unwrap_or(OPENS);
    let directory = tempfile::tempdir()?;
    let watched = directory.path().canonicalize()?;
    let path = watched.display();
    // The kernel can judge the paths, and not the program: all records come, and no signals.
    let never = "process.file.name == \"no such program\"";
    let setup = Setup::new()
        .rule("opens", &format!("open.file.path == \"{path}/watched\" && {never}"))
        .rule("makes", &format!("mkdir.file.path =~ \"{path}/*/watched\" && {never}"))
        .rule("removes", &format!("rmdir.file.path =~ \"{path}/*/watched\" && {never}"));
    let mut pair = Pair::start(&setup)?;
    let trigger = pair.trigger("open-mix")?;
    let kinds = ["open", "mkdir", "rmdir"];
    let before = kinds.map(|kind| Counted::of(&pair, kind));
    let truth =
        trigger.run([watched.as_os_str(), PROCESSES.to_string().as_ref(), opens.to_string().as_ref()])?;
    pair.settle()?;
    // The kernel's counters are read every half second, and travel with the next batch.
    std::thread::sleep(std::time::Duration::from_millis(1200));
    pair.settle()?;
    for (kind, before) in kinds.into_iter().zip(before) {
        let what = if kind == "open" { "opens" } else { "directories" };
        let done = |which: &str| truth[format!("{which}_{what}")].as_u64().unwrap_or_default();
        Counted::of(&pair, kind)?.since(before?).check(kind, done("watched"), done("unwatched"));
    }
    Ok(())
}

/// The kernel runs no program of a tracepoint while another process, preempted on that CPU, is in the middle of bpf(2).
#[test]
fn what_the_kernel_skips_is_counted_as_lost() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let watched = directory.path().canonicalize()?;
    let path = watched.display();
    let rule = format!("open.file.path == \"{path}/watched\" && process.file.name == \"no such program\"");
    let mut pair = Pair::start(&Setup::new().rule("opens", &rule))?;
    let disturbance = pair.trigger("map-updates")?;
    let trigger = pair.trigger("open-mix")?;
    let before = Counted::of(&pair, "open")?;
    let cpus = std::thread::available_parallelism()?.get();
    let truth = std::thread::scope(|scope| -> Result<Value> {
        let disturbances: Vec<_> = (0..cpus)
            .map(|cpu| {
                let disturbance = &disturbance;
                scope.spawn(move || disturbance.run([cpu.to_string(), "6".to_owned()]))
            })
            .collect();
        let arguments = [watched.as_os_str(), "4".as_ref(), "200000".as_ref()];
        let truth = trigger.run(arguments);
        for disturbance in disturbances {
            disturbance.join().map_err(|_| anyhow::anyhow!("the disturbance panicked"))??;
        }
        truth
    })?;
    pair.settle()?;
    std::thread::sleep(std::time::Duration::from_millis(1200));
    pair.settle()?;
    let done = |which: &str| truth[format!("{which}_opens")].as_u64().unwrap_or_default();
    let counted = Counted::of(&pair, "open")?.since(before);
    counted.check("open", done("watched"), done("unwatched"));
    if counted.skipped == 0 {
        println!("skipped: this kernel skipped nothing, or does not tell");
    }
    Ok(())
}

/// Where tracepoints show requests of rings, what is asked for is kept until its result: for so many at a time, and no more.
#[test]
fn requests_for_which_there_is_no_room_are_counted_as_lost() -> Result<()> {
    const REQUESTS: u64 = 900;
    if !can_run() {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let path = directory.path().canonicalize()?;
    let rule = format!("mkdir.file.path =~ \"{}/many-*\" && event.async", path.display());
    let mut pair = Pair::start(&Setup::new().rule("makes", &rule))?;
    if !pair.status()?.to_string().contains("tp_btf/io_uring_submit_req") {
        println!("skipped: nothing is kept of requests here");
        return Ok(());
    }
    let trigger = pair.trigger("ring-many")?;
    let before = Counted::of(&pair, "mkdir")?;
    let truth = trigger.run([path.as_os_str(), REQUESTS.to_string().as_ref()])?;
    assert_eq!(truth["made"], REQUESTS);
    pair.settle()?;
    std::thread::sleep(std::time::Duration::from_millis(1200));
    pair.settle()?;
    let counted = Counted::of(&pair, "mkdir")?.since(before);
    counted.check("mkdir", REQUESTS, 0);
    assert!(counted.lost > 0, "there is no room for so many: {counted:?}");
    assert_eq!(pair.signals.of_rule("makes").count() as u64, counted.reported);
    Ok(())
}
