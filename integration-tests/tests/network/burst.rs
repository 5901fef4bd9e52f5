//! Many questions at once, and packets that are none: each is seen or counted.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream, UdpSocket};

use anyhow::Result;
use integration_tests::harness::{Pair, Setup, can_run};
use serde_json::Value;

use crate::wire::{framed, query, question};

const QUESTIONS: u64 = 100_000;

/// Records of packets of name services that came to the agent, and those that were lost and counted.
fn seen_and_lost(pair: &Pair) -> Result<(u64, u64, Value)> {
    let status = pair.status()?;
    let pipeline = &status["agent"]["pipeline"];
    let losses = pipeline["losses"].as_array().cloned().unwrap_or_default();
    let lost =
        losses.iter().filter(|loss| loss["event_type"] == "dns").filter_map(|loss| loss["count"].as_u64());
    let seen = pipeline["counters"]["records"]["dns"].as_u64().unwrap_or(0);
    Ok((seen, lost.sum(), pipeline["network"].clone()))
}

fn settled(pair: &mut Pair) -> Result<(u64, u64, Value)> {
    pair.settle()?;
    // The kernel's counters are read every half second, and travel with the next batch.
    std::thread::sleep(std::time::Duration::from_millis(1200));
    pair.settle()?;
    seen_and_lost(pair)
}

#[test]
fn a_burst_is_accounted_to_the_last_question() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let setup = Setup::new()
        .rule("burst", "dns.question.name =~ \"*.burst.test\" && process.file.name == \"nobody\"");
    let mut pair = Pair::start(&setup)?;
    let sink = UdpSocket::bind("127.53.0.9:53")?;
    let to = sink.local_addr()?;
    let before = seen_and_lost(&pair)?;
    let sender = UdpSocket::bind("127.0.0.1:0")?;
    for number in 0..QUESTIONS {
        let message =
            query(u16::try_from(number % 65_536)?, &[question(&format!("n{number}.burst.test"), 1, 1)]);
        sender.send_to(&message, to)?;
    }
    let after = settled(&mut pair)?;
    let (seen, lost) = (after.0 - before.0, after.1 - before.1);
    println!("{QUESTIONS} asked: {seen} seen, {lost} counted as lost");
    // Others on this machine may ask something meanwhile.
    assert!(seen + lost >= QUESTIONS, "{seen} seen, {lost} lost, {QUESTIONS} sent");
    assert!(seen + lost < QUESTIONS + 1000, "{seen} seen, {lost} lost, {QUESTIONS} sent");
    Ok(())
}

#[test]
fn what_is_no_message_is_counted_and_does_no_harm() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&Setup::new().rule("any", "dns.question.count >= 0"))?;
    let sink = UdpSocket::bind("127.53.0.10:53")?;
    let to = sink.local_addr()?;
    let sender = UdpSocket::bind("127.0.0.1:0")?;
    let before = seen_and_lost(&pair)?;
    let good = query(1, &[question("www.corpus.test", 1, 1)]);
    let mut malformed = 0;
    for end in 0..good.len() {
        sender.send_to(&good[..end], to)?;
        malformed += 1;
    }
    for name in [&[0xc0, 12][..], &[0xc0, 0xff], &[0xff, 0xff], &[0x40, 1, 0], &[63, 1], &[1, b'a', 0xc0, 12]]
    {
        sender.send_to(&[&good[..12], name, &[0, 1, 0, 1]].concat(), to)?;
        malformed += 1;
    }
    // More questions than there are bytes for.
    sender.send_to(&[&good[..4], &[0xff, 0xff], &good[6..]].concat(), to)?;
    malformed += 1;
    // What stands behind the end is nobody's business.
    sender.send_to(&[&good[..], b"garbage"].concat(), to)?;
    sender.send_to(&good, to)?;
    let after = settled(&mut pair)?;
    let count = |name: &str| after.2[name].as_u64().unwrap_or(0) - before.2[name].as_u64().unwrap_or(0);
    assert_eq!(count("dns_malformed"), malformed, "{:#}", after.2);
    assert_eq!(count("dns_messages"), 2);
    assert_eq!(after.0 - before.0, malformed + 2);
    let signals = pair.signals.of_rule("any").count();
    assert_eq!(signals, 2, "{}", pair.logs());
    Ok(())
}

/// Frames of TCP that hold no message, one that is too large to be copied, and more questions than are told.
#[test]
fn what_is_not_told_is_counted() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&Setup::new().rule("any", "dns.question.count >= 0"))?;
    let listener = TcpListener::bind("127.53.0.34:53")?;
    let sink = UdpSocket::bind("127.53.0.34:53")?;
    let before = seen_and_lost(&pair)?;
    let good = query(1, &[question("www.frames.test", 1, 1)]);
    let mut large = good.clone();
    large.resize(20_000, 0);
    // Shorter than a header; a message that is none; one of which the kernel copies a part.
    let frames = [framed(&good[..11]), framed(&[&good[..12], &[0xff; 8]].concat()), framed(&large)];
    // All stay open: the end of a stream is not what is looked at.
    let mut streams = Vec::new();
    for frame in &frames {
        let mut stream = TcpStream::connect(listener.local_addr()?)?;
        stream.write_all(frame)?;
        streams.push((stream, listener.accept()?));
    }
    let many = query(2, &vec![question("many.frames.test", 1, 1); 19]);
    UdpSocket::bind("127.0.0.1:0")?.send_to(&many, sink.local_addr()?)?;
    let after = settled(&mut pair)?;
    let count = |name: &str| after.2[name].as_u64().unwrap_or(0) - before.2[name].as_u64().unwrap_or(0);
    let counts = ["dns_malformed", "truncated", "dns_questions_dropped", "dns_messages"].map(count);
    assert_eq!(counts, [2, 1, 3, 1], "{:#}", after.2);
    // The same for people.
    let text = String::from_utf8_lossy(&pair.command(&["status"])?.stdout).into_owned();
    for part in ["  network: ", "dns_malformed 2", "truncated 1", "dns_questions_dropped 3"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    Ok(())
}
