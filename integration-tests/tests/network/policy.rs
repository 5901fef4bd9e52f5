//! Rules on the network of the default policy, on the real kernel. Nothing leaves the machine: questions go to addresses of its
//! own, and what is connected to others are datagram sockets, by which nothing is sent.

use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use anyhow::Result;
use integration_tests::harness::call::{Calls, Made, b, n, r, s, words, x};
use integration_tests::harness::{Pair, Setup, Signal, Trigger, can_run, ordinary_program};
use libc::{AF_INET, AF_PACKET, PR_SET_SECUREBITS, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM};

use crate::address::sockaddr;
use crate::server::Server;
use crate::wire::{query, question};

const METADATA: &str = "127.53.0.25";
const A: u16 = 1;
const NULL: u16 = 10;
const TXT: u16 = 16;
const NOBODY: u32 = 65534;
/// What lies below a name server of whoever attacks.
const TAIL: &str = "t.example.com";

/// Whom things are asked of.
struct Place {
    sink: SocketAddr,
    metadata: SocketAddr,
    directory: PathBuf,
}

impl Place {
    fn ask(&self, name: &str, of_type: u16) -> Result<Calls> {
        let message = query(1, &[question(name, of_type, 1)]);
        let length = n(i64::try_from(message.len())?);
        let send = [r(0), x(&message), length, n(0), sockaddr(self.sink), n(16)];
        Ok(socket(AF_INET, SOCK_DGRAM).then(libc::SYS_sendto, send))
    }

    fn request(&self, url: &str) -> Result<Calls> {
        let request = format!("GET {url} HTTP/1.1\r\nHost: {METADATA}\r\n\r\n");
        let length = n(i64::try_from(request.len())?);
        Ok(socket(AF_INET, SOCK_STREAM)
            .then(libc::SYS_connect, [r(0), sockaddr(self.metadata), n(16)])
            .then(libc::SYS_write, [r(0), x(request.as_bytes()), length]))
    }
}

fn socket(domain: i32, kind: i32) -> Calls {
    Calls::new().then(libc::SYS_socket, [n(domain), n(kind), n(0)])
}

fn connect(to: &str) -> Result<Calls> {
    let to: SocketAddr = to.parse()?;
    Ok(socket(AF_INET, SOCK_DGRAM).then(libc::SYS_connect, [r(0), sockaddr(to), n(16)]))
}

fn bind(to: &str) -> Result<Calls> {
    let to: SocketAddr = to.parse()?;
    Ok(socket(AF_INET, SOCK_STREAM).then(libc::SYS_bind, [r(0), sockaddr(to), n(16)]))
}

/// Attaches a filter that takes everything to a socket that sees every packet. The filter lies where its address is known.
fn watch_packets() -> Calls {
    const AT: i64 = 0x1000_0000;
    // MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
    let map = [n(AT), n(4096), n(3), n(0x32), n(-1), n(0)];
    socket(AF_PACKET, SOCK_RAW)
        .then(libc::SYS_mmap, map)
        .then(libc::SYS_memfd_create, [s("filter"), n(0)])
        // ret #65535
        .then(libc::SYS_pwrite64, [r(2), x(&[6, 0, 0, 0, 0xff, 0xff, 0, 0]), n(8), n(0)])
        .then(libc::SYS_pread64, [r(2), n(AT), n(8), n(0)])
        .then(
            libc::SYS_setsockopt,
            [r(0), n(libc::SOL_SOCKET), n(libc::SO_ATTACH_FILTER), words(&[1, AT.cast_unsigned()]), n(16)],
        )
}

/// Makes a ring for packets on a socket that sees none, by a user who is not root but may have such sockets.
fn ring_of_packets(by: u32) -> Calls {
    // Blocks of 4096 bytes, one of them; frames of 2048 bytes, two of them.
    let ring = words(&[1 << 32 | 4096, 2 << 32 | 2048]);
    // SECBIT_NO_SETUID_FIXUP: capabilities stay.
    Calls::new()
        .then(libc::SYS_prctl, [n(PR_SET_SECUREBITS), n(4), n(0), n(0), n(0)])
        .then(libc::SYS_setresuid, [n(by), n(by), n(by)])
        .then(libc::SYS_socket, [n(AF_PACKET), n(SOCK_RAW), n(0)])
        .then(libc::SYS_setsockopt, [r(2), n(libc::SOL_PACKET), n(libc::PACKET_RX_RING), ring, n(16)])
}

/// A name of this length.
fn of_length(length: usize) -> String {
    let mut name = "a".repeat(40) + ".";
    while name.len() + 41 + TAIL.len() < length {
        name += &("b".repeat(40) + ".");
    }
    let rest = length - name.len() - TAIL.len() - 1;
    format!("{name}{}.{TAIL}", "c".repeat(rest))
}

/// What must match which rules, by a program of this name.
fn hostile(place: &Place) -> Result<Vec<(&'static str, &'static str, Calls)>> {
    let long = format!("{}.{}.{}.t.example.com", "0eaba82m".repeat(7), "a".repeat(60), "b".repeat(30));
    Ok(vec![
        ("callback_service_asked_for", "java", place.ask("c8k2.oastify.com", A)?),
        ("tunnel_service_asked_for", "agent", place.ask("tunnel.us.ngrok.com", A)?),
        ("dns_name_carries_data", "agent", place.ask(&long, TXT)?),
        ("dns_name_carries_data", "agent", place.ask(&of_length(131), A)?),
        ("dns_label_carries_data", "dnscat", place.ask(&format!("{}.{TAIL}", "d".repeat(46)), TXT)?),
        ("dns_label_carries_data", "iodine", place.ask(&format!("vaaaakardli.{TAIL}"), NULL)?),
        ("remote_shell_service_asked_for", "tmate", place.ask("ssh.tmate.io", A)?),
        ("messenger_asked_for_by_script", "curl", place.ask("api.telegram.org", A)?),
        ("paste_site_asked_for_by_script", "wget", place.ask("pastebin.com", A)?),
        ("own_address_asked_for_by_script", "python3", place.ask("api.ipify.org", A)?),
        ("program_without_network_connected", "gawk", connect("9.9.9.9:4444")?),
        ("chat_or_onion_port_connected", "perl", connect("9.9.9.9:6667")?),
        ("exploited_socket_option_set_by_user", "exploit", ring_of_packets(NOBODY)),
        ("dns_text_read_by_shell", "perl", place.ask("cmd.example.com", TXT)?),
        ("shell_connected", "bash", connect("203.0.113.7:4444")?),
        // Their names are known from what a server has answered.
        ("mining_pool_connected", "agent", connect("192.0.2.77:14444")?),
        ("program_of_temporary_place_connected", "kinsing", connect("9.9.9.9:443")?),
        ("shell_listens", "nc", bind("0.0.0.0:0")?),
        (
            "cloud_credentials_asked_for",
            "curl",
            place.request("/latest/meta-data/iam/security-credentials/role")?,
        ),
        ("packets_of_all_watched_by_stranger", "kdmtmpflush", watch_packets()),
    ])
}

/// What is close to that and must match none.
fn harmless(place: &Place) -> Result<Vec<(&'static str, Calls)>> {
    Ok(vec![
        ("kdevtmpfsi", place.ask("notminexmr.com", A)?),
        ("java", place.ask("oastify.com.example.org", A)?),
        ("agent", place.ask("www.example.com", TXT)?),
        ("agent", place.ask(&of_length(129), A)?),
        ("agent", place.ask(&of_length(130), A)?),
        ("agent", place.ask(&format!("{}.{TAIL}", "d".repeat(45)), TXT)?),
        ("agent", place.ask(&format!("{}.{TAIL}", "d".repeat(46)), A)?),
        ("unbound", place.ask(&format!("{}.{TAIL}", "d".repeat(46)), TXT)?),
        ("curl", place.ask("mypastebin.com", A)?),
        ("curl", place.ask("tmate.io.example.com", A)?),
        ("gawk", connect("10.0.0.7:4444")?),
        ("exploit", ring_of_packets(0)),
        ("dumpcap", ring_of_packets(NOBODY)),
        ("perl", place.ask("cmd.example.com", A)?),
        ("bash", connect("127.0.0.1:4444")?),
        ("agent", connect("10.0.0.7:443")?),
        ("nc", bind("127.0.0.1:0")?),
        ("python3", bind("0.0.0.0:0")?),
        ("curl", place.request("/latest/meta-data/instance-id")?),
        ("tcpdump", watch_packets()),
    ])
}

/// The rules on the network of the default policy that what `made` did has matched.
fn matched<'p>(pair: &'p Pair, made: &Made) -> Vec<&'p str> {
    let of = |signal: &&Signal| {
        signal.at("process.pid") == made.pid()
            && signal.at("agent.policy_name") == "default.policy"
            && signal.at("evt.category") == "Network Activity"
    };
    pair.signals.all().iter().filter(of).map(Signal::rule).collect()
}

/// Makes the calls as a program of this name. That there is no way to an address is no matter: it was tried.
fn make(place: &Place, trigger: &Trigger, name: &str, calls: &Calls) -> Result<Made> {
    calls.make(&trigger.named(name, &place.directory)?)
}

#[test]
fn the_default_policy_sees_what_is_hostile_and_not_what_is_close_to_it() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/policies/default.policy");
    let line = format!("runtime_security_config.imds_ipv4: {METADATA}");
    // What happens often is told all the same.
    let often = tempfile::tempdir()?;
    let loud = often.path().join("default.policy");
    let text = fs::read_to_string(policy)?;
    fs::write(
        &loud,
        text.lines().filter(|line| !line.starts_with("    every: ")).collect::<Vec<_>>().join("\n"),
    )?;
    let mut pair = Pair::start(&Setup::new().policy_file(&loud).probe_line(&line))?;
    let trigger = pair.trigger("call")?;
    let sink = UdpSocket::bind("127.53.0.24:53")?;
    let metadata = TcpListener::bind((METADATA, 80))?;
    let directory = pair.path("programs");
    fs::create_dir(&directory)?;
    let place = Place { sink: sink.local_addr()?, metadata: metadata.local_addr()?, directory };

    // Whose address is 192.0.2.77.
    let names = Server::start("127.53.0.26:53")?;
    let known = Place { sink: names.address, metadata: place.metadata, directory: place.directory.clone() };
    let asked = known.ask("xmr-eu1.nanopool.org", A)?;
    let answered = asked.then(libc::SYS_recvfrom, [r(0), b(512), n(512), n(0), n(0), n(0)]);
    let made = make(&place, &trigger, "kdevtmpfsi", &answered)?.succeeded()?;
    pair.settle()?;

    let mut done = vec![(Some("mining_pool_asked_for"), "kdevtmpfsi", made)];
    for (rule, name, calls) in hostile(&place)? {
        done.push((Some(rule), name, make(&place, &trigger, name, &calls)?));
    }
    // By what a server has started.
    let server = ordinary_program("/bin/sh", "nginx", &place.directory)?;
    let tool = trigger.named("wget", &place.directory)?.started_by(&server);
    done.push((Some("shell_of_server_connected"), "wget", connect("9.9.9.9:443")?.make(&tool)?));
    done.push((None, "wget", connect("10.0.0.7:443")?.make(&tool)?));
    for (name, calls) in harmless(&place)? {
        done.push((None, name, make(&place, &trigger, name, &calls)?));
    }
    pair.settle()?;
    for (number, (rule, name, made)) in done.iter().enumerate() {
        let matched = matched(&pair, made);
        match rule {
            Some(rule) => assert!(matched.contains(rule), "{rule}: {matched:?} {made:?}\n{}", pair.logs()),
            None => assert!(matched.is_empty(), "harmless case {number} ({name}): {matched:?}"),
        }
    }
    Ok(())
}
