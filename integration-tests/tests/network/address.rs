//! Socket addresses, as system calls take them.

use std::net::{IpAddr, SocketAddr};

use integration_tests::harness::call::{Arg, x};

/// `struct sockaddr_in` or `sockaddr_in6`.
pub(crate) fn bytes(address: SocketAddr) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    match address.ip() {
        IpAddr::V4(ip) => [&2_u16.to_ne_bytes()[..], &port, &ip.octets(), &[0; 8]].concat(),
        IpAddr::V6(ip) => [&10_u16.to_ne_bytes()[..], &port, &[0; 4], &ip.octets(), &[0; 4]].concat(),
    }
}

/// The same as an argument.
pub(crate) fn sockaddr(address: SocketAddr) -> Arg {
    x(&bytes(address))
}

/// Its size.
pub(crate) fn size(address: SocketAddr) -> i64 {
    if address.is_ipv4() { 16 } else { 28 }
}

/// `struct sockaddr_un` with this path, which may begin with NUL.
pub(crate) fn unix(path: &[u8]) -> Vec<u8> {
    [&1_u16.to_ne_bytes()[..], path].concat()
}

/// The port in an address that the kernel has filled in.
pub(crate) fn port(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[2], bytes[3]])
}
