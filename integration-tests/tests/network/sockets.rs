//! bind, connect, accept, setsockopt.

use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixListener;

use anyhow::{Context as _, Result, ensure};
use integration_tests::harness::call::{Calls, Made, b, n, p, r, x};
use integration_tests::harness::{Pair, Setup, Signal, Trigger, can_run};
use libc::{AF_INET, AF_INET6, AF_UNIX, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM};
use serde_json::{Value, json};

use crate::address::{port, size, sockaddr, unix};

/// A pair that signals what the trigger `call` does to sockets.
pub(crate) struct Watch {
    pub(crate) pair: Pair,
    pub(crate) trigger: Trigger,
}

impl Watch {
    pub(crate) fn start(setup: Setup) -> Result<Option<Self>> {
        if !can_run() {
            return Ok(None);
        }
        // The condition on the result is always true: it makes the signal tell it.
        let rule = |event: &str| format!("{event}.retval >= -600 && process.file.name == \"call\"");
        let events = ["bind", "connect", "accept", "setsockopt"];
        let setup = events.iter().fold(setup, |setup, event| setup.rule(event, &rule(event)));
        let pair = Pair::start(&setup)?;
        let trigger = pair.trigger("call")?;
        Ok(Some(Self { pair, trigger }))
    }

    pub(crate) fn signals(&mut self, event: &str, made: &Made) -> Result<Vec<Signal>> {
        self.pair.settle()?;
        let of_process = |signal: &&Signal| signal.at("process.pid") == made.pid();
        Ok(self.pair.signals.of_rule(event).filter(of_process).cloned().collect())
    }

    /// Fails unless the calls caused just this event, with this object and result.
    pub(crate) fn expect(
        &mut self,
        event: &str,
        made: &Made,
        expected: Value,
        retval: i64,
    ) -> Result<Signal> {
        let mut signals = self.signals(event, made)?;
        ensure!(signals.len() == 1, "{event}: {signals:#?} {made:?}\n{}", self.pair.logs());
        let signal = signals.remove(0);
        let outcome = match retval {
            -13 | -1 => "Refused",
            retval if retval < 0 => "Error",
            _ => "Success",
        };
        let differences = signal.differences(&[
            ("evt.name", json!(event)),
            ("evt.category", json!("Network Activity")),
            ("evt.outcome", json!(outcome)),
            ("process.executable.name", json!("call")),
            (event, expected),
        ]);
        ensure!(differences.is_empty(), "{event}: {differences}");
        let on = signal.at("evt.matched_on").as_array().context("matched_on")?;
        let found = on.iter().find(|part| part["field"] == json!(format!("{event}.retval")));
        ensure!(
            found.is_some_and(|part| part["value"] == json!(retval.to_string())),
            "{event}: {on:?}, not {retval}"
        );
        Ok(signal)
    }
}

pub(crate) fn socket(domain: i32, kind: i32) -> Calls {
    Calls::new().then(libc::SYS_socket, [n(domain), n(kind), n(0)])
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn bind_tells_what_the_socket_is_bound_to() -> Result<()> {
    let Some(mut watch) = Watch::start(Setup::new())? else { return Ok(()) };
    for (domain, kind, at, family, ip, protocol) in [
        (AF_INET, SOCK_STREAM, "127.0.0.1:0", "AF_INET", "127.0.0.1", "IP_PROTO_TCP"),
        (AF_INET, SOCK_DGRAM, "0.0.0.0:0", "AF_INET", "0.0.0.0", "IP_PROTO_UDP"),
        (AF_INET6, SOCK_STREAM, "[::1]:0", "AF_INET6", "::1", "IP_PROTO_TCP"),
        (AF_INET6, SOCK_DGRAM, "[::]:0", "AF_INET6", "::", "IP_PROTO_UDP"),
    ] {
        let at = address(at);
        let calls = socket(domain, kind)
            .then(libc::SYS_bind, [r(0), sockaddr(at), n(size(at))])
            .then(libc::SYS_getsockname, [r(0), b(28), x(&28_u32.to_ne_bytes())]);
        let made = calls.make(&watch.trigger)?.succeeded()?;
        let port = port(&made.buffer(2, 1)?);
        assert_ne!(port, 0);
        // The port is the one that the kernel has chosen.
        let expected = json!({"addr": {"family": family, "ip": ip, "port": port}, "protocol": protocol});
        watch.expect("bind", &made, expected, 0)?;
    }
    Ok(())
}

#[test]
fn unix_sockets_have_paths() -> Result<()> {
    let Some(mut watch) = Watch::start(Setup::new())? else { return Ok(()) };
    let path = watch.pair.path("a.sock");
    let text = path.as_os_str().as_bytes();
    for (name, shown) in [
        ([text, b"\0"].concat(), path.display().to_string()),
        ([b"\0cws-abstract-", text.get(text.len() - 12..).unwrap_or(text)].concat(), {
            format!("@cws-abstract-{}", String::from_utf8_lossy(text.get(text.len() - 12..).unwrap_or(text)))
        }),
    ] {
        let at = unix(&name);
        let length = n(i64::try_from(at.len())?);
        let calls = socket(AF_UNIX, SOCK_STREAM)
            .then(libc::SYS_bind, [r(0), x(&at), length.clone()])
            .then(libc::SYS_listen, [r(0), n(1)])
            .then(libc::SYS_socket, [n(AF_UNIX), n(SOCK_STREAM), n(0)])
            .then(libc::SYS_connect, [r(3), x(&at), length])
            .then(libc::SYS_accept4, [r(0), n(0), n(0), n(0)]);
        let made = calls.make(&watch.trigger)?.succeeded()?;
        let addr = json!({"family": "AF_UNIX", "ip": "", "port": 0, "path": shown});
        watch.expect("bind", &made, json!({"addr": addr, "protocol": "IP_PROTO_IP"}), 0)?;
        watch.expect(
            "connect",
            &made,
            json!({"addr": addr, "hostnames": [], "protocol": "IP_PROTO_IP"}),
            0,
        )?;
        // Who connects has no name.
        let nobody = json!({"family": "AF_UNIX", "ip": "", "port": 0});
        watch.expect("accept", &made, json!({"addr": nobody, "hostnames": []}), made.result(5))?;
    }
    // Where nobody may go.
    let listener = UnixListener::bind(watch.pair.path("closed.sock"))?;
    let closed = watch.pair.path("closed.sock");
    let at = unix(&[closed.as_os_str().as_bytes(), b"\0"].concat());
    let calls =
        socket(AF_UNIX, SOCK_STREAM).then(libc::SYS_connect, [r(0), x(&at), n(i64::try_from(at.len())?)]);
    let made = calls.make_as(65534, &watch.trigger)?;
    assert_eq!(made.last(), -13);
    let addr = json!({"family": "AF_UNIX", "ip": "", "port": 0, "path": closed});
    watch.expect("connect", &made, json!({"addr": addr, "hostnames": [], "protocol": "IP_PROTO_IP"}), -13)?;
    drop(listener);
    Ok(())
}

#[test]
fn connect_tells_the_peer_whatever_comes_of_it() -> Result<()> {
    let Some(mut watch) = Watch::start(Setup::new())? else { return Ok(()) };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let listener6 = TcpListener::bind("[::1]:0")?;
    let receiver = UdpSocket::bind("127.0.0.1:0")?;
    let (open, open6, udp) = (listener.local_addr()?, listener6.local_addr()?, receiver.local_addr()?);
    // A port that was just given back: nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mapped = address(&format!("[::ffff:127.0.0.1]:{}", open.port()));
    for (domain, kind, to, retval, family, protocol) in [
        (AF_INET, SOCK_STREAM, open, 0, "AF_INET", "IP_PROTO_TCP"),
        (AF_INET6, SOCK_STREAM, open6, 0, "AF_INET6", "IP_PROTO_TCP"),
        (AF_INET6, SOCK_STREAM, mapped, 0, "AF_INET6", "IP_PROTO_TCP"),
        (AF_INET, SOCK_STREAM | SOCK_NONBLOCK, open, -115, "AF_INET", "IP_PROTO_TCP"),
        (AF_INET, SOCK_STREAM, closed, -111, "AF_INET", "IP_PROTO_TCP"),
        (AF_INET, SOCK_DGRAM, udp, 0, "AF_INET", "IP_PROTO_UDP"),
    ] {
        let made = socket(domain, kind)
            .then(libc::SYS_connect, [r(0), sockaddr(to), n(size(to))])
            .make(&watch.trigger)?;
        assert_eq!(made.last(), retval, "{to}");
        let addr = json!({"family": family, "ip": to.ip().to_string(), "port": to.port()});
        watch.expect(
            "connect",
            &made,
            json!({"addr": addr, "hostnames": [], "protocol": protocol}),
            retval,
        )?;
    }
    // Without a peer again.
    let dissolved = socket(AF_INET, SOCK_DGRAM)
        .then(libc::SYS_connect, [r(0), sockaddr(udp), n(16)])
        .then(libc::SYS_connect, [r(0), x(&[0; 16]), n(16)]);
    let made = dissolved.make(&watch.trigger)?.succeeded()?;
    let signals = watch.signals("connect", &made)?;
    assert_eq!(signals.len(), 2);
    assert_eq!(signals[1].at("connect.addr"), &json!({"family": "AF_UNSPEC", "ip": "", "port": 0}));
    // What is no attempt to reach anybody is no event.
    let wrong = socket(AF_INET, SOCK_STREAM)
        .then(libc::SYS_connect, [n(999), sockaddr(open), n(16)])
        .then(libc::SYS_connect, [r(0), sockaddr(open), n(2)])
        .then(libc::SYS_connect, [r(0), n(1), n(16)]);
    let made = wrong.make(&watch.trigger)?;
    assert_eq!((made.result(1), made.result(2), made.result(3)), (-9, -22, -14));
    assert_eq!(watch.signals("connect", &made)?, []);
    Ok(())
}

/// TCP fast open: the connection begins with what is sent.
#[test]
fn a_connection_without_connect_is_seen() -> Result<()> {
    let Some(mut watch) = Watch::start(Setup::new())? else { return Ok(()) };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let to = listener.local_addr()?;
    let send = [r(0), x(b"hello"), n(5), n(libc::MSG_FASTOPEN), sockaddr(to), n(16)];
    let made = socket(AF_INET, SOCK_STREAM).then(libc::SYS_sendto, send).make(&watch.trigger)?;
    if made.last() == -95 {
        println!("skipped: this kernel has no fast open for clients");
        return Ok(());
    }
    assert_eq!(made.last(), 5);
    let addr = json!({"family": "AF_INET", "ip": "127.0.0.1", "port": to.port()});
    watch.expect(
        "connect",
        &made,
        json!({"addr": addr, "hostnames": [], "protocol": "IP_PROTO_TCP"}),
        -115,
    )?;
    Ok(())
}

#[test]
fn accept_tells_who_came() -> Result<()> {
    let Some(mut watch) = Watch::start(Setup::new())? else { return Ok(()) };
    for (at, domain, family) in [("127.0.0.1:0", AF_INET, "AF_INET"), ("[::1]:0", AF_INET6, "AF_INET6")] {
        for call in [libc::SYS_accept, libc::SYS_accept4] {
            for with_address in [false, true] {
                let at = address(at);
                let length = 28_u32.to_ne_bytes();
                let name = if with_address { [b(28), x(&length)] } else { [n(0), n(0)] };
                let [place, room] = name;
                let calls = socket(domain, SOCK_STREAM)
                    .then(libc::SYS_bind, [r(0), sockaddr(at), n(size(at))])
                    .then(libc::SYS_listen, [r(0), n(1)])
                    .then(libc::SYS_getsockname, [r(0), b(28), x(&length)])
                    .then(libc::SYS_socket, [n(domain), n(SOCK_STREAM), n(0)])
                    .then(libc::SYS_connect, [r(4), p(3, 1), n(size(at))])
                    .then(libc::SYS_getsockname, [r(4), b(28), x(&length)])
                    .then(call, [r(0), place, room, n(0)]);
                let made = calls.make(&watch.trigger)?.succeeded()?;
                let addr =
                    json!({"family": family, "ip": at.ip().to_string(), "port": port(&made.buffer(6, 1)?)});
                watch.expect("accept", &made, json!({"addr": addr, "hostnames": []}), made.result(7))?;
            }
        }
    }
    Ok(())
}

#[test]
fn setsockopt_tells_option_and_filter() -> Result<()> {
    let Some(mut watch) = Watch::start(Setup::new())? else { return Ok(()) };
    let one = 1_u32.to_ne_bytes();
    let reuse = [r(0), n(libc::SOL_SOCKET), n(libc::SO_REUSEADDR), x(&one), n(4)];
    let made =
        socket(AF_INET, SOCK_STREAM).then(libc::SYS_setsockopt, reuse).make(&watch.trigger)?.succeeded()?;
    let expected = json!({
        "socket_type": "SOCK_STREAM", "socket_family": "AF_INET", "socket_protocol": "IP_PROTO_TCP",
        "level": "SOL_SOCKET", "optname": "SO_REUSEADDR",
    });
    watch.expect("setsockopt", &made, expected, 0)?;

    let trigger = watch.pair.trigger("socket-filter")?;
    watch.pair.replace_rules(
        "  - id: filters\n    expression: setsockopt.optname == SO_ATTACH_FILTER && 0x7255 in setsockopt.used_immediates\n",
    )?;
    watch.pair.settle()?;
    // A socket may take so much memory for options; of a filter each instruction takes 16 bytes once it is translated.
    let room: usize = fs::read_to_string("/proc/sys/net/core/optmem_max")?.trim().parse()?;
    let longest = (room / 16).min(4_096);
    for (count, is_truncated) in [(8, false), (longest, longest > 2_048)] {
        let truth = trigger.run([count.to_string()])?;
        let signal = watch.pair.expect("filters", |signal| signal.at("process.pid") == &truth["pid"])?;
        let option = signal.at("setsockopt");
        assert_eq!(option["filter_len"], count, "{option}");
        assert_eq!(
            (&option["optname"], &option["socket_family"]),
            (&json!("SO_ATTACH_FILTER"), &json!("AF_INET"))
        );
        let text = option["filter"].as_str().unwrap_or_default();
        assert!(text.starts_with("l0: ldh [12]\nl1: jeq #0x7255, l2, l2\n"), "{text}");
        assert_eq!(option["is_filter_truncated"] == json!(true), is_truncated, "{option}");
        let hash = option["filter_hash"].as_str().unwrap_or_default();
        assert_eq!(hash.len(), if is_truncated { 0 } else { 64 }, "{option}");
    }
    Ok(())
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_32_bit_programs_are_seen_where_that_is_wanted() -> Result<()> {
    let setup = Setup::new().probe_line("runtime_security_config.probe.compat_syscalls: true");
    let Some(mut watch) = Watch::start(setup)? else { return Ok(()) };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let to = listener.local_addr()?;
    let addr = json!({"family": "AF_INET", "ip": "127.0.0.1", "port": to.port()});
    let expected = json!({"addr": addr, "hostnames": [], "protocol": "IP_PROTO_TCP"});
    let direct = Calls::new()
        .then(libc::SYS_socket, [n(AF_INET), n(SOCK_STREAM), n(0)])
        .then_i386(362, [r(0), sockaddr(to), n(16)]);
    let made = direct.make(&watch.trigger)?.succeeded()?;
    watch.expect("connect", &made, expected, 0)?;

    let trigger = watch.pair.trigger("socketcall")?;
    let rule = |event: &str| {
        format!(
            "  - id: {event}\n    expression: {event}.retval >= 0 && process.file.name == \"socketcall\"\n"
        )
    };
    watch.pair.replace_rules(&["bind", "connect", "accept", "setsockopt"].map(rule).concat())?;
    watch.pair.settle()?;
    let truth = trigger.run([""; 0])?;
    let addr = |port: &str| json!({"family": "AF_INET", "ip": "127.0.0.1", "port": truth[port]});
    for (event, expected) in [
        ("bind", json!({"addr": addr("port"), "protocol": "IP_PROTO_TCP"})),
        ("connect", json!({"addr": addr("port"), "hostnames": [], "protocol": "IP_PROTO_TCP"})),
        ("accept", json!({"addr": addr("peer"), "hostnames": []})),
    ] {
        let signal = watch.pair.expect(event, |signal| signal.at("process.pid") == &truth["pid"])?;
        assert_eq!(signal.differences(&[(event, expected)]), "");
    }
    let signal = watch.pair.expect("setsockopt", |signal| signal.at("process.pid") == &truth["pid"])?;
    assert_eq!(signal.at("setsockopt.optname"), &json!("SO_REUSEADDR"));
    Ok(())
}
