//! Calls on sockets that were refused, and addresses that are public or not.

use anyhow::Result;
use integration_tests::harness::Setup;
use integration_tests::harness::call::{b, n, p, r, x};
use libc::{AF_INET, SOCK_STREAM};
use serde_json::json;

use crate::address::{port, sockaddr};
use crate::namespaces::Namespace;
use crate::sockets::{Watch, address, socket};

/// Nobody's number: without privileges.
const NOBODY: u32 = 65534;

#[test]
fn what_was_not_permitted_is_an_event() -> Result<()> {
    let Some(mut watch) = Watch::start(Setup::new())? else { return Ok(()) };
    let at = address("127.0.0.1:81");
    let bind = socket(AF_INET, SOCK_STREAM).then(libc::SYS_bind, [r(0), sockaddr(at), n(16)]);
    let made = bind.make_as(NOBODY, &watch.trigger)?;
    if made.last() == 0 {
        println!("not looked at: ports below 1024, as this machine lets everybody bind to them");
    } else {
        assert_eq!(made.last(), i64::from(-libc::EACCES));
        // The address that the process gave.
        let addr = json!({"family": "AF_INET", "ip": "127.0.0.1", "port": 81});
        watch.expect("bind", &made, json!({"addr": addr, "protocol": "IP_PROTO_TCP"}), made.last())?;
    }
    let mark = [r(0), n(libc::SOL_SOCKET), n(libc::SO_MARK), x(&1_u32.to_ne_bytes()), n(4)];
    let made =
        socket(AF_INET, SOCK_STREAM).then(libc::SYS_setsockopt, mark).make_as(NOBODY, &watch.trigger)?;
    assert_eq!(made.last(), i64::from(-libc::EPERM));
    let option = json!({
        "socket_type": "SOCK_STREAM", "socket_family": "AF_INET", "socket_protocol": "IP_PROTO_TCP",
        "level": "SOL_SOCKET", "optname": "SO_MARK",
    });
    watch.expect("setsockopt", &made, option, made.last())?;
    Ok(())
}

#[test]
fn what_failed_for_another_reason_is_none() -> Result<()> {
    let Some(mut watch) = Watch::start(Setup::new())? else { return Ok(()) };
    let any = address("127.0.0.1:0");
    let calls = socket(AF_INET, SOCK_STREAM)
        .then(libc::SYS_bind, [r(0), sockaddr(any), n(16)])
        .then(libc::SYS_getsockname, [r(0), b(16), x(&16_u32.to_ne_bytes())])
        .then(libc::SYS_socket, [n(AF_INET), n(SOCK_STREAM), n(0)])
        .then(libc::SYS_bind, [r(3), p(2, 1), n(16)])
        // No address of this machine; no option that there is; a size that is none.
        .then(libc::SYS_bind, [r(3), sockaddr(address("192.0.2.1:0")), n(16)])
        .then(libc::SYS_setsockopt, [r(0), n(libc::SOL_SOCKET), n(9999), x(&[0; 4]), n(4)])
        .then(libc::SYS_setsockopt, [r(0), n(libc::SOL_SOCKET), n(libc::SO_REUSEADDR), x(&[0; 4]), n(1)]);
    let made = calls.make(&watch.trigger)?;
    let results = [4, 5, 6, 7].map(|call| made.result(call));
    let expected = [libc::EADDRINUSE, libc::EADDRNOTAVAIL, libc::ENOPROTOOPT, libc::EINVAL];
    assert_eq!(results, expected.map(|error| i64::from(-error)));
    let addr = json!({"family": "AF_INET", "ip": "127.0.0.1", "port": port(&made.buffer(2, 1)?)});
    watch.expect("bind", &made, json!({"addr": addr, "protocol": "IP_PROTO_TCP"}), 0)?;
    assert_eq!(watch.signals("setsockopt", &made)?, []);
    Ok(())
}

/// In a namespace of its own, whose loopback interface has an address of the world outside.
#[test]
fn public_addresses_are_told_from_others() -> Result<()> {
    let rule = |event: &str, is_public: bool| {
        format!("{event}.addr.is_public == {is_public} && process.file.name == \"call\"")
    };
    let mut setup = Setup::new();
    for event in ["bind", "accept", "connect"] {
        setup = setup
            .rule(&format!("{event}_public"), &rule(event, true))
            .rule(&format!("{event}_other"), &rule(event, false));
    }
    let Some(mut watch) = Watch::start(setup)? else { return Ok(()) };
    let namespace = Namespace::alone()?;
    namespace.ip("addr add 8.8.4.4/32 dev lo")?;
    let length = 16_u32.to_ne_bytes();
    for (ip, matching, other) in [("8.8.4.4", "public", "other"), ("127.0.0.1", "other", "public")] {
        let calls = namespace
            .enter()
            .then(libc::SYS_socket, [n(AF_INET), n(SOCK_STREAM), n(0)])
            .then(libc::SYS_bind, [r(2), sockaddr(address(&format!("{ip}:4711"))), n(16)])
            .then(libc::SYS_listen, [r(2), n(1)])
            .then(libc::SYS_socket, [n(AF_INET), n(SOCK_STREAM), n(0)])
            .then(libc::SYS_connect, [r(5), sockaddr(address(&format!("{ip}:4711"))), n(16)])
            .then(libc::SYS_accept4, [r(2), b(16), x(&length), n(0)]);
        let made = calls.make(&watch.trigger)?.succeeded()?;
        for event in ["bind", "accept", "connect"] {
            let signals = watch.signals(&format!("{event}_{matching}"), &made)?;
            assert_eq!(signals.len(), 1, "{event} {ip}\n{}", watch.pair.logs());
            assert_eq!(signals[0].at(&format!("{event}.addr.ip")), &json!(ip));
            assert_eq!(watch.signals(&format!("{event}_{other}"), &made)?, []);
        }
    }
    Ok(())
}
