//! What the kernel drops of connections and their like because no rule is about such addresses.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixListener;

use anyhow::Result;
use integration_tests::harness::call::{Calls, Made, n, r, x};
use integration_tests::harness::{Pair, Setup, Signal, can_run};
use libc::{AF_INET, AF_INET6, AF_UNIX, SOCK_DGRAM, SOCK_STREAM};
use serde_json::json;

use crate::address::{size, sockaddr, unix};

const NEVER: &str = "process.file.name == \"no such program\"";

fn connect(kind: i32, to: SocketAddr) -> Calls {
    let domain = if to.is_ipv4() { AF_INET } else { AF_INET6 };
    Calls::new()
        .then(libc::SYS_socket, [n(domain), n(kind), n(0)])
        .then(libc::SYS_connect, [r(0), sockaddr(to), n(size(to))])
}

fn signals(pair: &mut Pair, rule: &str, made: &Made) -> Result<Vec<Signal>> {
    pair.settle()?;
    let of_process = |signal: &&Signal| signal.at("process.pid") == made.pid();
    Ok(pair.signals.of_rule(rule).filter(of_process).cloned().collect())
}

/// How many events of a kind the kernel has dropped, and how many alternatives it looks for.
fn dropped(pair: &Pair, kind: &str) -> Result<(u64, u64)> {
    let status = pair.status()?;
    let number = |of: &str| status["probe"][of][kind].as_u64().unwrap_or(0);
    Ok((number("filtered"), number("filters")))
}

#[test]
fn connections_that_no_rule_is_about_stay_in_the_kernel() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let (wanted, other) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    let (wanted6, datagrams) = (TcpListener::bind("[::1]:0")?, UdpSocket::bind("127.0.0.1:0")?);
    let port = wanted.local_addr()?.port();
    let setup = Setup::new()
        .rule("by_port", &format!("connect.addr.port == {port} && process.file.name == \"call\""))
        .rule("by_family", "connect.addr.family == AF_INET6 && process.file.name == \"call\"")
        .rule("accepted", &format!("accept.addr.port in [1, 2] && {NEVER}"))
        .rule("bound", "bind.addr.port == 4242 && process.file.name == \"call\"");
    let mut pair = Pair::start(&setup)?;
    let trigger = pair.trigger("call")?;
    let path = pair.path("a.sock");
    let listener = UnixListener::bind(&path)?;
    let before = dropped(&pair, "connect")?;
    assert_eq!(before.1, 2, "{:#}", pair.status()?);

    let six = wanted6.local_addr()?;
    for (calls, rule) in [
        (connect(SOCK_STREAM, wanted.local_addr()?), Some("by_port")),
        (connect(SOCK_STREAM, six), Some("by_family")),
        (connect(SOCK_STREAM, other.local_addr()?), None),
        (connect(SOCK_DGRAM, datagrams.local_addr()?), None),
    ] {
        let made = calls.make(&trigger)?.succeeded()?;
        for known in ["by_port", "by_family"] {
            let found = signals(&mut pair, known, &made)?;
            assert_eq!(found.len(), usize::from(rule == Some(known)), "{known} {calls:?}: {found:#?}");
        }
    }
    let at = unix(&[path.as_os_str().as_bytes(), b"\0"].concat());
    let length = n(i64::try_from(at.len())?);
    Calls::new()
        .then(libc::SYS_socket, [n(AF_UNIX), n(SOCK_STREAM), n(0)])
        .then(libc::SYS_connect, [r(0), x(&at), length])
        .make(&trigger)?
        .succeeded()?;
    drop(listener);
    // The two of the internet, and the one that has no port at all. What the machine does beside counts as well.
    let after = dropped(&pair, "connect")?;
    assert!(after.0 >= before.0 + 3, "{before:?} to {after:?}");
    Ok(())
}

#[test]
fn addresses_are_judged_as_they_are_told() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let setup = Setup::new()
        .rule("bound", "bind.addr.port == 4242 && process.file.name == \"call\"")
        .rule("accepted", "accept.addr.port >= 1024 && process.file.name == \"call\"")
        .rule("refused", "connect.addr.port == 1 && process.file.name == \"call\"");
    let mut pair = Pair::start(&setup)?;
    let trigger = pair.trigger("call")?;
    let before = dropped(&pair, "bind")?;
    for (port, count) in [(4242, 1), (4243, 0)] {
        let at: SocketAddr = format!("127.53.0.23:{port}").parse()?;
        let listening = Calls::new()
            .then(libc::SYS_socket, [n(AF_INET), n(SOCK_STREAM), n(0)])
            .then(libc::SYS_bind, [r(0), sockaddr(at), n(16)])
            .then(libc::SYS_listen, [r(0), n(1)])
            .then(libc::SYS_socket, [n(AF_INET), n(SOCK_STREAM), n(0)])
            .then(libc::SYS_connect, [r(3), sockaddr(at), n(16)])
            .then(libc::SYS_accept4, [r(0), n(0), n(0), n(0)]);
        let made = listening.make(&trigger)?.succeeded()?;
        assert_eq!(signals(&mut pair, "bound", &made)?.len(), count, "{port}");
        assert_eq!(signals(&mut pair, "accepted", &made)?.len(), 1, "{port}");
    }
    let after = dropped(&pair, "bind")?;
    assert!(after.0 > before.0, "{before:?} to {after:?}");
    // Of a call that came to nothing it is the address that was given.
    let made = connect(SOCK_STREAM, "127.0.0.1:1".parse()?).make(&trigger)?;
    assert_eq!(made.last(), -111);
    let found = signals(&mut pair, "refused", &made)?;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].at("connect.addr"), &json!({"family": "AF_INET", "ip": "127.0.0.1", "port": 1}));
    Ok(())
}
