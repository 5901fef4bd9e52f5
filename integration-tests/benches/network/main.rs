//! What watching the network costs traffic over the loopback interface: bulk TCP, round trips of datagrams, and short
//! connections, with the pair and without, for rules that need more and more.
//!
//! `make build && cargo bench -p integration-tests --bench network`. As in the benchmark of the overhead, many short rounds, and
//! what counts is the median of the ratios of the rounds. `CWS_ROUNDS` sets their number. Of each there is the time of the CPU that this
//! process takes, and the time that passes; on a machine that is busy otherwise only the first says anything.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use integration_tests::harness::{Pair, Setup, can_run};

/// Rounds, unless the environment says otherwise.
const ROUNDS: usize = 11;
/// Each so many times in a row, of which the least counts: whatever disturbs makes it longer.
const RUNS: usize = 5;
const BULK_BYTES: usize = 128 << 20;
const BLOCK: usize = 128 << 10;
const ROUND_TRIPS: u32 = 5_000;
const CONNECTIONS: u32 = 500;

const NAMES: [&str; 6] = [
    "bulk TCP, CPU",
    "UDP round trips, CPU",
    "TCP connections, CPU",
    "bulk TCP",
    "UDP round trips",
    "TCP connections",
];

/// Seconds, by measure.
type Times = [f64; NAMES.len()];

fn main() -> Result<()> {
    // `cargo test --all-targets` runs this as well, without this argument, and wants no figures.
    if !std::env::args().any(|argument| argument == "--bench") || !can_run() {
        return Ok(());
    }
    let never = "process.file.name == \"no such program\"";
    let sockets = Setup::new()
        .rule("connect", &format!("connect.addr.port == 1 && {never}"))
        .rule("accept", &format!("accept.addr.port == 1 && {never}"));
    let names = sockets
        .clone()
        .rule("dns", &format!("dns.question.name == \"x.test\" && {never}"))
        .rule("imds", &format!("imds.url == \"/x\" && {never}"));
    let packets = names.clone().rule("packet", &format!("packet.filter == \"tcp dst port 1\" && {never}"));
    let variants = [("connect, accept", sockets), ("and dns, imds", names), ("and a packet filter", packets)];
    let rounds = std::env::var("CWS_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let mut ratios: [Vec<Times>; 3] = Default::default();
    let mut without = vec![measure()?];
    for round in 0..rounds {
        for ((_, setup), ratios) in variants.iter().zip(&mut ratios) {
            let mut pair = Pair::start(setup)?;
            let with = measure()?;
            pair.stop()?;
            let (before, after) = (without[without.len() - 1], measure()?);
            without.push(after);
            ratios.push(std::array::from_fn(|n| with[n] / f64::midpoint(before[n], after[n])));
        }
        eprintln!("round {} of {rounds}", round + 1);
    }
    let names: Vec<&str> = variants.iter().map(|(name, _)| *name).collect();
    println!("| | without | {} |", names.join(" | "));
    println!("|---|---|{}", "---|".repeat(variants.len()));
    for (n, name) in NAMES.iter().enumerate() {
        let alone = median(without.iter().map(|times| times[n]).collect());
        let columns: Vec<String> = ratios
            .iter()
            .map(|ratios| {
                format!("{:+.1} %", (median(ratios.iter().map(|times| times[n]).collect()) - 1.0) * 100.0)
            })
            .collect();
        println!("| {name} | {:.0} ms | {} |", alone * 1e3, columns.join(" | "));
    }
    Ok(())
}

fn measure() -> Result<Times> {
    let mut times = [f64::INFINITY; NAMES.len()];
    let measures: [fn() -> Result<f64>; NAMES.len() / 2] = [bulk, round_trips, connections];
    for (n, measure) in measures.into_iter().enumerate() {
        for _ in 0..RUNS {
            let before = cpu_seconds()?;
            let passed = measure()?;
            times[n] = times[n].min(cpu_seconds()? - before);
            times[measures.len() + n] = times[measures.len() + n].min(passed);
        }
    }
    Ok(times)
}

/// Time of the CPU that this process, of all its threads, has taken.
fn cpu_seconds() -> Result<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Ok(Duration::new(time.tv_sec.try_into()?, time.tv_nsec.try_into()?).as_secs_f64())
}

fn bulk() -> Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut sender = TcpStream::connect(listener.local_addr()?)?;
    let (mut receiver, _) = listener.accept()?;
    let start = Instant::now();
    let sending = std::thread::spawn(move || -> Result<()> {
        let block = vec![0; BLOCK];
        for _ in 0..BULK_BYTES / BLOCK {
            sender.write_all(&block)?;
        }
        Ok(())
    });
    let (mut block, mut received) = (vec![0; BLOCK], 0);
    while received < BULK_BYTES {
        received += receiver.read(&mut block)?;
    }
    sending.join().ok().context("the sender panicked")??;
    Ok(start.elapsed().as_secs_f64())
}

fn round_trips() -> Result<f64> {
    let (here, there) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    here.connect(there.local_addr()?)?;
    there.connect(here.local_addr()?)?;
    for socket in [&here, &there] {
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    }
    let answering = std::thread::spawn(move || -> Result<()> {
        let mut message = [0; 64];
        for _ in 0..ROUND_TRIPS {
            let length = there.recv(&mut message)?;
            there.send(&message[..length])?;
        }
        Ok(())
    });
    let start = Instant::now();
    let mut message = [0; 64];
    for _ in 0..ROUND_TRIPS {
        here.send(&message)?;
        here.recv(&mut message)?;
    }
    let time = start.elapsed().as_secs_f64();
    answering.join().ok().context("the answering side panicked")??;
    Ok(time)
}

fn connections() -> Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let to = listener.local_addr()?;
    let start = Instant::now();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(to)?;
        let (accepted, _) = listener.accept()?;
        drop((stream, accepted));
    }
    Ok(start.elapsed().as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
