//! What is asked for through io_uring, which no system call shows: seen where programs are inside the kernel.

use anyhow::{Context as _, Result, ensure};
use integration_tests::harness::{Pair, Setup, Signal, can_run};
use serde_json::{Value, json};

const EVENTS: [&str; 3] = ["bind", "connect", "accept"];

/// The only signal of a rule that tells this address.
fn only<'a>(pair: &'a Pair, event: &'a str, addr: &Value, truth: &Value) -> Result<&'a Signal> {
    let of_process = pair.signals.of_rule(event).filter(|signal| signal.at("process.pid") == &truth["pid"]);
    let here = of_process.filter(|signal| signal.at(&format!("{event}.addr")) == addr);
    let found: Vec<_> = here.collect();
    ensure!(
        found.len() == 1,
        "{event} {addr}: {} of {:#?}\n{truth}\n{}\n{:#}",
        found.len(),
        pair.signals.of_rule(event).collect::<Vec<_>>(),
        pair.logs(),
        pair.status()?
    );
    found.first().copied().context("one")
}

#[test]
fn operations_of_rings_on_sockets_are_events_of_their_process() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let setup = EVENTS.iter().fold(Setup::new(), |setup, event| {
        let rule = format!("{event}.retval >= -600 && process.file.name == \"ring-sockets\" && event.async");
        setup.rule(event, &rule)
    });
    let mut pair = Pair::start(&setup)?;
    if !pair.is_at("do_accept")? {
        println!("skipped: no programs inside the kernel here");
        return Ok(());
    }
    let trigger = pair.trigger("ring-sockets")?;
    let paths = [pair.path("ring.sock"), pair.path("nobody.sock")];
    let [there, nobody] = paths.each_ref().map(|path| path.to_str().context("a path"));
    let (there, nobody) = (there?, nobody?);
    let truth = trigger.run([there, nobody])?;
    pair.settle()?;

    let internet = |port: &Value| json!({"family": "AF_INET", "ip": "127.0.0.1", "port": port});
    let unix = |path: &str| json!({"family": "AF_UNIX", "ip": "", "port": 0, "path": path});
    let expected = [
        ("tcp", "connect", internet(&truth["port"])),
        ("accept", "accept", internet(&truth["client_port"])),
        ("udp", "connect", internet(&json!(5353))),
        ("unix", "connect", unix(there)),
        ("refused", "connect", unix(nobody)),
        ("bind", "bind", internet(&truth["bound_port"])),
    ];
    for (operation, event, addr) in expected {
        let result = truth[operation].as_i64().context("a result")?;
        if result == -22 {
            println!("{operation}: this kernel has no such operation");
            continue;
        }
        assert_eq!(result < 0, operation == "refused", "{operation}: {truth}");
        let signal = only(&pair, event, &addr, &truth)?;
        assert_eq!(signal.at("process.executable.name"), "ring-sockets", "{operation}");
        let outcome = signal.at("evt.outcome").as_str().unwrap_or_default();
        let fits = match operation {
            "refused" => outcome == "Error",
            // Whether it is there at once is up to the kernel.
            "tcp" => ["Error", "Success"].contains(&outcome),
            _ => outcome == "Success",
        };
        assert!(fits, "{operation}: {outcome}");
    }
    Ok(())
}
