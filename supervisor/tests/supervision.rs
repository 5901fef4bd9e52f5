//! The supervisor with shell scripts in the place of the two processes.
#![allow(clippy::unwrap_used, reason = "all of it is a test, functions beside #[test] included")]

use std::path::Path;
use std::time::{Duration, Instant};

use supervisor::run::{Order, Service, run};
use tokio::sync::mpsc;

/// A script that appends what it does to the file `log`.
fn script(name: &'static str, log: &Path, text: &str) -> Service {
    let text = format!("exec 2>/dev/null; log() {{ echo {name} $1 >> {}; }}; {text}", log.display());
    Service {
        name,
        command: vec!["/bin/sh".into(), "-c".into(), text.into()],
        grace: Duration::from_millis(500),
        takes_hangup: name == "agent",
    }
}

/// Runs until it has stopped; `orders` come one after the other, each as soon as the log holds the text before it.
async fn supervise(services: Vec<Service>, log: &Path, orders: &[(&str, Order)]) -> (String, Duration) {
    let (sender, receiver) = mpsc::channel(1);
    let receiver = tokio::sync::Mutex::new(receiver);
    let running = run(services, || async { receiver.lock().await.recv().await.unwrap_or(Order::Stop) });
    let stopped_at = std::cell::Cell::new(Instant::now());
    let ordering = async {
        for (text, order) in orders {
            while !std::fs::read_to_string(log).unwrap_or_default().contains(text) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stopped_at.set(Instant::now());
            sender.send(*order).await.unwrap();
        }
        // The sender stays: its end would be an order too.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = running => {}
        () = ordering => {}
        () = tokio::time::sleep(Duration::from_secs(30)) => panic!("it does not end"),
    }
    (std::fs::read_to_string(log).unwrap(), stopped_at.get().elapsed())
}

const STEADY: &str = "trap 'log stopped; exit 0' TERM; trap 'log hangup' HUP; log started; \
                      while :; do sleep 0.01; done";

#[tokio::test]
async fn both_are_stopped_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let slow = "trap 'sleep 0.2; log stopped; exit 0' TERM; log started; while :; do sleep 0.01; done";
    // A stop that comes before a script has set its trap would just end it.
    let after =
        format!("until grep -q 'probe started' '{}'; do sleep 0.01; done; log started", log.display());
    let second = STEADY.replace("log started", &after);
    let services = vec![script("probe", &log, slow), script("agent", &log, &second)];
    let (log, elapsed) = supervise(services, &log, &[("agent started", Order::Stop)]).await;
    assert!(log.ends_with("probe stopped\nagent stopped\n"), "{log}");
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
}

#[tokio::test]
async fn one_that_crashes_is_started_again_and_the_other_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let crashes =
        "if test -e $0.d; then log again; while :; do sleep 0.01; done; fi; log first; kill -SEGV $$";
    let marker = directory.path().join("marker");
    let crashes = crashes
        .replace("$0.d", &marker.display().to_string())
        .replace("log first", &format!("log first; mkdir {}", marker.display()));
    let services = vec![script("probe", &log, &crashes), script("agent", &log, STEADY)];
    let (log, _) = supervise(services, &log, &[("probe again", Order::Stop)]).await;
    assert_eq!(log.matches("probe first").count(), 1, "{log}");
    assert_eq!(log.matches("agent started").count(), 1, "{log}");
}

#[tokio::test]
async fn when_both_have_nothing_to_do_it_ends() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let services = vec![script("probe", &log, "log started"), script("agent", &log, "log started")];
    let (log, _) = supervise(services, &log, &[]).await;
    assert_eq!(log.matches("started").count(), 2, "{log}");
}

#[tokio::test]
async fn one_that_does_not_end_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let deaf = "trap '' TERM; log started; while :; do sleep 0.01; done";
    let services = vec![script("probe", &log, deaf)];
    let (_, elapsed) = supervise(services, &log, &[("probe started", Order::Stop)]).await;
    assert!(elapsed > Duration::from_millis(450) && elapsed < Duration::from_secs(2), "{elapsed:?}");
}

#[tokio::test]
async fn a_hangup_is_handed_on_to_the_agent_only() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let services = vec![script("probe", &log, STEADY), script("agent", &log, STEADY)];
    let orders = [("agent started", Order::Hangup), ("agent hangup", Order::Stop)];
    let (log, _) = supervise(services, &log, &orders).await;
    assert!(!log.contains("probe hangup"), "{log}");
}

#[tokio::test]
async fn what_is_stopped_while_it_waits_to_start_again_ends_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let services = vec![script("probe", &log, "log started; exit 3"), script("agent", &log, STEADY)];
    let (_, elapsed) = supervise(services, &log, &[("agent started", Order::Stop)]).await;
    assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
}
