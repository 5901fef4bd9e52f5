//! Reports to a syslog server, as RFC 5424 says.

use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::Output;
use crate::report::{Envelope, Report};

/// `authpriv`: what only administrators may read, as command lines are.
const FACILITY: u8 = 10;
const WARNING: u8 = 4;
const INFORMATION: u8 = 6;
/// Pause after a connection failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a connection or a message may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest host name and name of a message that the RFC has.
const HOST_MAX: usize = 255;
const NAME_MAX: usize = 32;

/// Where the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    Unix(String),
    Udp(String),
    Tcp(String),
}

#[derive(Debug)]
enum Connection {
    Unix(UnixDatagram),
    Udp(UdpSocket),
    Tcp(TcpStream),
}

/// A syslog server.
#[derive(Debug)]
pub struct Syslog {
    address: Address,
    connection: Option<Connection>,
    failed: Option<Instant>,
}

impl Syslog {
    /// The server at `address`; no connection is made yet.
    ///
    /// # Errors
    /// If the address makes no sense.
    pub fn new(address: &str) -> anyhow::Result<Self> {
        let (scheme, place) = address.split_once("://").with_context(|| {
            format!("{address}: expected unix://PATH, udp://HOST:PORT or tcp://HOST:PORT")
        })?;
        let address = match scheme {
            "unix" => {
                ensure!(place.starts_with('/'), "{address}: the path of a socket must be absolute");
                Address::Unix(place.to_owned())
            }
            "udp" | "tcp" => {
                let port = place.rsplit_once(':').filter(|(host, _)| !host.is_empty());
                let port = port.and_then(|(_, port)| port.parse::<u16>().ok()).filter(|port| *port != 0);
                ensure!(port.is_some(), "{address}: expected {scheme}://HOST:PORT");
                if scheme == "udp" { Address::Udp(place.to_owned()) } else { Address::Tcp(place.to_owned()) }
            }
            _ => bail!("{address}: expected unix://PATH, udp://HOST:PORT or tcp://HOST:PORT"),
        };
        Ok(Self { address, connection: None, failed: None })
    }

    fn send(&mut self, message: &str) -> io::Result<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.address.connect()?,
        };
        connection.send(message)?;
        self.connection = Some(connection);
        Ok(())
    }
}

impl Address {
    fn connect(&self) -> io::Result<Connection> {
        match self {
            Self::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                // A server that does not read must not hold up the end of the agent.
                socket.set_write_timeout(Some(TIMEOUT))?;
                Ok(Connection::Unix(socket))
            }
            Self::Udp(place) => {
                let to = resolve(place)?;
                let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any)?;
                socket.connect(to)?;
                Ok(Connection::Udp(socket))
            }
            Self::Tcp(place) => {
                let stream = TcpStream::connect_timeout(&resolve(place)?, TIMEOUT)?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                Ok(Connection::Tcp(stream))
            }
        }
    }
}

fn resolve(place: &str) -> io::Result<std::net::SocketAddr> {
    place.to_socket_addrs()?.next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such host"))
}

impl Connection {
    fn send(&mut self, message: &str) -> io::Result<()> {
        match self {
            Self::Unix(socket) => socket.send(message.as_bytes()).map(drop),
            Self::Udp(socket) => socket.send(message.as_bytes()).map(drop),
            // Octet counting of RFC 6587.
            Self::Tcp(stream) => stream.write_all(format!("{} {message}", message.len()).as_bytes()),
        }
    }
}

impl Output for Syslog {
    fn write(&mut self, report: &Report) -> io::Result<()> {
        if self.failed.is_some_and(|failed| failed.elapsed() < PAUSE) {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "the server did not answer just now"));
        }
        let message = message(report);
        let is_old = self.connection.is_some();
        let mut sent = self.send(&message);
        // The server may have been restarted since; a message that is too long stays so.
        if is_old && sent.as_ref().is_err_and(|error| !is_too_long(error)) {
            sent = self.send(&message);
        }
        self.failed = sent.as_ref().err().filter(|error| !is_too_long(error)).map(|_| Instant::now());
        sent
    }
}

fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error())
}

fn message(report: &Report) -> String {
    let Envelope { time_ns, hostname, is_own, .. } = &report.envelope;
    let priority = FACILITY * 8 + if *is_own { INFORMATION } else { WARNING };
    let time = model::report::rfc3339(*time_ns).map_or_else(|| "-".to_owned(), |time| microseconds(&time));
    let host = word(hostname, HOST_MAX);
    let name = word(&report.rule_id, NAME_MAX);
    format!("<{priority}>1 {time} {host} security-agent {} {name} - {}", std::process::id(), report.json)
}

/// More decimals the RFC does not allow.
fn microseconds(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, rest)) => {
            let decimals: String = rest.chars().take_while(char::is_ascii_digit).take(6).collect();
            format!("{seconds}.{decimals}Z")
        }
        None => time.to_owned(),
    }
}

/// `text` as one word of visible ASCII.
fn word(text: &str, max: usize) -> String {
    let word: String = text.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).take(max).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;

    fn report(json: &str) -> Report {
        let envelope = Envelope {
            time_ns: 1_700_000_000_123_456_789,
            hostname: "web 1".to_owned(),
            ..Envelope::default()
        };
        Report { rule_id: "a rule".to_owned(), json: json.to_owned(), line: None, envelope }
    }

    fn expected(json: &str) -> String {
        let pid = std::process::id();
        format!("<84>1 2023-11-14T22:13:20.123456Z web_1 security-agent {pid} a_rule - {json}")
    }

    #[test]
    fn messages_are_those_of_the_rfc() {
        assert_eq!(message(&report("{}")), expected("{}"));
        let mut own = report("{}");
        own.envelope = Envelope { is_own: true, ..Envelope::default() };
        assert!(message(&own).starts_with("<86>1 - - security-agent "), "{}", message(&own));
    }

    #[test]
    fn datagrams_go_to_sockets_and_what_is_too_long_fails_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let server = UnixDatagram::bind(&path).unwrap();
        let mut syslog = Syslog::new(&format!("unix://{}", path.display())).unwrap();
        let mut buffer = [0; 4096];
        syslog.write(&report("{\"n\":1}")).unwrap();
        let length = server.recv(&mut buffer).unwrap();
        assert_eq!(std::str::from_utf8(&buffer[..length]).unwrap(), expected("{\"n\":1}"));
        assert!(syslog.write(&report(&"x".repeat(4 << 20))).is_err());
        syslog.write(&report("{\"n\":2}")).unwrap();
        assert!(server.recv(&mut buffer).is_ok());
        // The server is started again.
        drop(server);
        std::fs::remove_file(&path).unwrap();
        let server = UnixDatagram::bind(&path).unwrap();
        syslog.write(&report("{\"n\":3}")).unwrap();
        assert!(server.recv(&mut buffer).is_ok());
    }

    #[test]
    fn udp_and_tcp_go_to_hosts() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut syslog = Syslog::new(&format!("udp://{}", server.local_addr().unwrap())).unwrap();
        syslog.write(&report("{}")).unwrap();
        let mut buffer = [0; 4096];
        let length = server.recv(&mut buffer).unwrap();
        assert_eq!(std::str::from_utf8(&buffer[..length]).unwrap(), expected("{}"));

        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut syslog = Syslog::new(&format!("tcp://{}", server.local_addr().unwrap())).unwrap();
        syslog.write(&report("{}")).unwrap();
        syslog.write(&report("[\n]")).unwrap();
        drop(syslog);
        let mut text = String::new();
        server.accept().unwrap().0.read_to_string(&mut text).unwrap();
        let framed = |json: &str| format!("{} {}", expected(json).len(), expected(json));
        assert_eq!(text, framed("{}") + &framed("[\n]"));
    }

    #[test]
    fn a_server_that_is_away_is_not_asked_each_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut syslog = Syslog::new(&format!("unix://{}", path.display())).unwrap();
        assert_eq!(syslog.write(&report("{}")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(syslog.write(&report("{}")).unwrap_err().kind(), io::ErrorKind::NotConnected);
        syslog.failed = None;
        let _server = UnixDatagram::bind(&path).unwrap();
        syslog.write(&report("{}")).unwrap();
    }

    #[test]
    fn addresses_that_make_no_sense_are_refused() {
        for address in
            ["", "/dev/log", "unix://dev/log", "udp://host", "tcp://:514", "udp://h:0", "http://h:1"]
        {
            assert!(Syslog::new(address).is_err(), "{address}");
        }
        assert!(Syslog::new("tcp://[::1]:514").is_ok());
    }
}
