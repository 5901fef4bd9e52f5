mod fake;

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use fake::{Answer, Fake};
use settings::{Environment, ProxyUrl};

use super::*;
use crate::report::Envelope;

/// Long enough for a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

fn quick() -> Settings {
    Settings {
        batch_wait: Duration::from_millis(10),
        backoff_base: Duration::from_millis(10),
        backoff_max: Duration::from_millis(20),
        timeout: Duration::from_secs(20),
        ..Settings::default()
    }
}

fn target(fake: &Fake, scheme: &str) -> Target {
    let (address, is_tls) = (format!("localhost:{}", fake.address.port()), scheme == "https");
    Target {
        name: "intake".to_owned(),
        directory: "main".to_owned(),
        url: format!("{scheme}://{address}/api/v2/secruntime"),
        host: "localhost".to_owned(),
        is_tls,
        api_key: "secret-key".into(),
    }
}

fn start_with(fake: &Fake, settings: &Settings, opened: Opened) -> Intake {
    let proxies = Proxies::default();
    Intake::start(target(fake, "https"), settings, &proxies, fake.roots(), opened, SOURCE).unwrap()
}

fn in_memory() -> Opened {
    (Box::new(Memory::new(MEMORY)), 0, Err("a test".to_owned()))
}

fn report(number: u64) -> Report {
    Report {
        rule_id: "rule".to_owned(),
        json: number.to_string(),
        line: None,
        envelope: Envelope {
            time_ns: 1_700_000_000_123_456_789,
            hostname: "web1".to_owned(),
            service: String::new(),
            tags: "rule_id:rule,type:exec".to_owned(),
            is_own: false,
        },
    }
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn status(intake: &Intake, name: &str) -> u64 {
    intake.shared.status()[name].as_u64().unwrap()
}

#[test]
fn batches_are_those_of_the_reference() {
    let fake = Fake::tls();
    let settings = Settings { batch_max_size: 3, batch_wait: PATIENCE, ..quick() };
    let mut intake = start_with(&fake, &settings, in_memory());
    (0..6).for_each(|number| intake.write(&report(number)).unwrap());
    until("both batches", || fake.requests().len() == 2);
    let requests = fake.requests();
    let request = &requests[0];
    assert_eq!(request.path, "/api/v2/secruntime");
    for (name, value) in [
        ("dd-api-key", "secret-key"),
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
        ("dd-evp-origin", "cloud-workload-security"),
        ("dd-evp-origin-version", crate::stream::client::VERSION),
    ] {
        assert_eq!(request.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(request.headers.get("user-agent"), None);
    assert_eq!(
        request.entries()[0],
        json!({
            "message": "0",
            "status": "info",
            "timestamp": 1_700_000_000_123_u64,
            "hostname": "web1",
            "service": "runtime-security-agent",
            "ddsource": "runtime-security-agent",
            "ddtags": "rule_id:rule,type:exec",
        })
    );
    assert_eq!(requests[1].entries().len(), 3);
    assert_eq!(fake.accepted(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(fake.connections(), 1, "the connection is used again");
    until("the count", || status(&intake, "sent") == 6);
    assert_eq!((status(&intake, "waiting"), intake.shared.lost()), (0, 0));
}

#[test]
fn a_batch_stays_within_its_size_and_may_go_uncompressed_to_the_old_address() {
    let fake = Fake::tls();
    let settings = Settings {
        batch_max_content_size: settings::Bytes::kib(64),
        use_compression: false,
        use_v2_api: false,
        ..quick()
    };
    let mut intake = start_with(&fake, &settings, in_memory());
    let mut large = report(7);
    large.envelope.tags = "x".repeat(30_000);
    (0..9).for_each(|_| intake.write(&large).unwrap());
    large.envelope.tags = "x".repeat(70_000);
    assert_eq!(intake.write(&large).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    until("all", || fake.accepted().len() == 9);
    for request in fake.requests() {
        assert!(request.content.len() <= 64 << 10);
        assert_eq!(request.headers["content-encoding"], "identity");
        assert!(!request.headers.contains_key("dd-evp-origin"));
    }
}

#[test]
fn what_fails_is_sent_again_until_it_gets_through_and_only_once() {
    let fake = Fake::tls();
    let statuses = [500, 503, 429, 404, 408, 302].map(Answer::Status);
    fake.answer(statuses.into_iter().chain([Answer::Close]));
    let mut intake = start_with(&fake, &quick(), in_memory());
    (0..5).for_each(|number| intake.write(&report(number)).unwrap());
    until("all", || fake.accepted().len() == 5);
    assert_eq!(fake.accepted(), [0, 1, 2, 3, 4]);
    until("the count", || status(&intake, "sent") == 5);
    assert_eq!(status(&intake, "failed_requests"), 7);
    assert_eq!(intake.shared.status()["connected"], true);
    assert_eq!(intake.shared.lost(), 0);
}

#[test]
fn what_is_refused_is_dropped_and_counted_and_said_why() {
    for code in [400, 401, 403, 413] {
        let fake = Fake::tls();
        fake.answer([Answer::Status(code)]);
        let settings = Settings { batch_max_size: 3, batch_wait: PATIENCE, ..quick() };
        let mut intake = start_with(&fake, &settings, in_memory());
        let mut own = report(0);
        own.envelope.is_own = true;
        intake.write(&own).unwrap();
        (1..6).for_each(|number| intake.write(&report(number)).unwrap());
        until("the second batch", || status(&intake, "sent") == 3);
        assert_eq!(fake.accepted(), [3, 4, 5]);
        assert_eq!(status(&intake, "refused"), 3);
        assert_eq!(intake.shared.lost(), 2, "what is about the agent is no lost signal");
        assert_eq!(fake.requests().len(), 2, "it is not sent again");
        let error = intake.shared.status()["last_error"].as_str().unwrap().to_owned();
        assert!(error.starts_with(&code.to_string()) && error.ends_with("reason"), "{error}");
    }
}

#[test]
fn an_outage_and_a_restart_lose_nothing() {
    let fake = Fake::tls();
    let directory = tempfile::tempdir().unwrap();
    let limit = 1 << 20;
    fake.always(Answer::Status(503));
    let mut intake = start_with(&fake, &quick(), open_spool(directory.path(), limit));
    (0..100).for_each(|number| intake.write(&report(number)).unwrap());
    until("an attempt", || status(&intake, "failed_requests") > 0);
    // The end of the agent does not wait for an intake that is away.
    let start = Instant::now();
    intake.close();
    assert!(start.elapsed() < PATIENCE / 2);
    drop(intake);
    fake.always(Answer::Status(202));
    until("the lock", || Disk::open(directory.path(), limit).is_ok());
    let mut intake = start_with(&fake, &quick(), open_spool(directory.path(), limit));
    (100..110).for_each(|number| intake.write(&report(number)).unwrap());
    intake.close();
    assert_eq!(fake.accepted(), (0..110).collect::<Vec<_>>(), "once each, in order");
    assert_eq!(intake.shared.lost(), 0);
}

#[test]
fn the_spool_is_bounded_and_what_it_drops_is_counted() {
    let fake = Fake::tls();
    let directory = tempfile::tempdir().unwrap();
    let limit = 1 << 20;
    fake.always(Answer::Close);
    let mut intake = start_with(&fake, &quick(), open_spool(directory.path(), limit));
    let total = 10_000;
    let refused = (0..total).filter(|number| intake.write(&report(*number)).is_err()).count();
    let size: u64 = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(size <= limit + 1_000, "{size}");
    assert!(status(&intake, "dropped") > 0);
    assert_eq!(intake.shared.lost(), status(&intake, "dropped"));
    let delivered_before = fake.accepted().len();
    assert_eq!(delivered_before, 0);
    fake.always(Answer::Status(200));
    until("the rest", || status(&intake, "waiting") == 0);
    let accepted = fake.accepted();
    assert!(accepted.is_sorted() && accepted.windows(2).all(|pair| pair[0] != pair[1]), "once each");
    let lost = usize::try_from(intake.shared.lost()).unwrap();
    assert_eq!(accepted.len() + lost + refused, usize::try_from(total).unwrap());
}

#[test]
fn an_intake_that_does_not_read_holds_nothing_up() {
    let fake = Fake::tls();
    fake.stall(true);
    let settings = Settings { timeout: Duration::from_secs(2), ..quick() };
    let mut intake = start_with(&fake, &settings, in_memory());
    for number in 0..100 {
        let mut report = report(number);
        // More than what buffers between the two hold, as it does not compress well.
        report.envelope.tags = (0..1_000)
            .map(|index: u64| format!("{:x}", (index * 7_919 + number).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
            .collect();
        intake.write(&report).unwrap();
    }
    until("a timeout", || status(&intake, "failed_requests") > 0);
    assert_eq!(intake.shared.status()["connected"], false);
    fake.stall(false);
    until("all", || status(&intake, "waiting") == 0);
    // A request that timed out may have been taken all the same: then it comes again, but none is lost.
    let mut accepted = fake.accepted();
    accepted.sort_unstable();
    accepted.dedup();
    assert_eq!(accepted, (0..100).collect::<Vec<_>>());
}

#[test]
fn nobody_gets_anything_without_a_certificate_that_is_trusted() {
    let fake = Fake::tls();
    let other = Fake::tls();
    let settings = quick();
    let proxies = Proxies::default();
    let mut intake =
        Intake::start(target(&fake, "https"), &settings, &proxies, other.roots(), in_memory(), SOURCE)
            .unwrap();
    intake.write(&report(1)).unwrap();
    until("an attempt", || status(&intake, "failed_requests") > 0);
    assert!(fake.requests().is_empty());
    assert_eq!(status(&intake, "waiting"), 1);
    let settings = Settings { skip_ssl_validation: true, ..settings };
    let mut intake =
        Intake::start(target(&fake, "https"), &settings, &proxies, other.roots(), in_memory(), SOURCE)
            .unwrap();
    intake.write(&report(2)).unwrap();
    until("it", || fake.accepted() == [2]);
}

#[test]
fn the_oldest_version_of_tls_is_kept() {
    let fake = Fake::start(Some(&[&rustls::version::TLS12]));
    let mut old = start_with(&fake, &quick(), in_memory());
    old.write(&report(1)).unwrap();
    until("it", || fake.accepted() == [1]);
    let settings = Settings { min_tls_version: settings::TlsVersion::V1_3, ..quick() };
    let mut new = start_with(&fake, &settings, in_memory());
    new.write(&report(2)).unwrap();
    until("an attempt", || status(&new, "failed_requests") > 0);
    assert_eq!(fake.accepted(), [1]);
}

#[test]
fn a_connection_is_given_up_when_it_is_old() {
    let fake = Fake::tls();
    let settings = Settings { connection_reset_interval: Duration::from_nanos(1), ..quick() };
    let mut intake = start_with(&fake, &settings, in_memory());
    for number in 0..3 {
        intake.write(&report(number)).unwrap();
        until("it", || status(&intake, "sent") == number + 1);
    }
    assert_eq!(fake.connections(), 3);
}

/// A proxy that tunnels to where it is asked to, for those who know its password.
fn proxy(requests: Arc<Mutex<Vec<String>>>) -> u16 {
    use std::io::{BufRead, BufReader, Write};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        // One connection is all that the test makes.
        let (mut client, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(client.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0);
        }
        let to = head.split(' ').nth(1).unwrap().replace("localhost", "127.0.0.1");
        requests.lock().unwrap().push(head);
        let server = TcpStream::connect(to).unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let (mut from_server, mut to_client) = (server.try_clone().unwrap(), client);
        std::thread::spawn(move || io::copy(&mut from_server, &mut to_client));
        let _end = io::copy(&mut reader, &mut { server });
    });
    port
}

#[test]
fn a_proxy_is_used_unless_the_host_needs_none() {
    let fake = Fake::tls();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let url = format!("http://me:pass@127.0.0.1:{}", proxy(Arc::clone(&seen)));
    let direct = Proxies {
        https: ProxyUrl::from(url.as_str()),
        no_proxy: vec!["localhost".to_owned()],
        ..Proxies::default()
    };
    let start = |proxies: &Proxies| {
        Intake::start(target(&fake, "https"), &quick(), proxies, fake.roots(), in_memory(), SOURCE).unwrap()
    };
    let mut intake = start(&direct);
    intake.write(&report(1)).unwrap();
    until("it", || fake.accepted() == [1]);
    assert!(seen.lock().unwrap().is_empty());
    let mut intake = start(&Proxies { no_proxy: Vec::new(), ..direct });
    intake.write(&report(2)).unwrap();
    until("it", || fake.accepted() == [1, 2]);
    let head = seen.lock().unwrap()[0].clone();
    assert!(head.starts_with(&format!("CONNECT localhost:{}", fake.address.port())), "{head}");
    assert!(head.to_ascii_lowercase().contains("proxy-authorization: basic bwu6cgfzcw"), "{head}");
    // That of HTTPS is not for plain HTTP, which has its own.
    let plain = Fake::plain();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let url = format!("http://127.0.0.1:{}", proxy(Arc::clone(&seen)));
    let proxies = Proxies { http: ProxyUrl::from(url.as_str()), ..Proxies::default() };
    let mut intake =
        Intake::start(target(&plain, "http"), &quick(), &proxies, plain.roots(), in_memory(), SOURCE)
            .unwrap();
    intake.write(&report(3)).unwrap();
    until("it", || plain.accepted() == [3]);
    assert_eq!(seen.lock().unwrap().len(), 1);
    let bad = Proxies { https: ProxyUrl::from("ftp://me:pass@host"), ..Proxies::default() };
    let error = Intake::start(target(&fake, "https"), &quick(), &bad, fake.roots(), in_memory(), SOURCE);
    let error = format!("{:#}", error.unwrap_err());
    assert!(!error.contains("pass"), "{error}");
}

#[test]
fn settings_make_intakes_with_spools_in_the_run_directory() {
    let fake = Fake::plain();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("security-agent.yaml");
    let run = directory.path().join("run");
    std::fs::create_dir_all(run.join("spool/additional-0123")).unwrap();
    let text = format!(
        "api_key: the-first-key\ntags: [\"service:shop\"]\nruntime_security_config:\n  run_path: {}\n  endpoints:\n    \
         logs_dd_url: http://127.0.0.1:{port}\n    batch_wait: 10ms\n    additional_endpoints:\n      \
         - {{api_key: the-second-key, host: 127.0.0.1, port: {port}, use_ssl: false}}\n",
        run.display(),
        port = fake.address.port()
    );
    std::fs::write(&file, text).unwrap();
    let settings =
        settings::agent::load(std::slice::from_ref(&file), &Environment::from_pairs::<&str, &str>([]))
            .unwrap()
            .value;
    let mut all = intakes(&settings).unwrap();
    assert_eq!(all.len(), 2);
    assert!(!run.join("spool/additional-0123").exists(), "nobody gets what was for another intake");
    for (_, intake) in &mut all {
        intake.write(&report(1)).unwrap();
    }
    until("both", || fake.accepted() == [1, 1]);
    let mut keys: Vec<String> =
        fake.requests().iter().map(|request| request.headers["dd-api-key"].clone()).collect();
    keys.sort();
    assert_eq!(keys, ["the-first-key", "the-second-key"]);
    assert_eq!(fake.requests()[0].entries()[0]["service"], "shop");
    let shown = format!("{settings:?} {all:?}");
    assert!(!shown.contains("first-key") && !shown.contains("second-key"), "{shown}");
}

#[test]
fn without_a_directory_signals_wait_in_memory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (spool, _, place) = open_spool(&file.path().join("intake"), 1 << 20);
    assert_eq!(spool.waiting(), (0, 0));
    assert!(place.unwrap_err().contains("intake"));
}
