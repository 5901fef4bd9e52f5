//! Metrics in datagrams to a DogStatsD server. Nobody waits for it: what it does not take is gone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::{ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc::{SyncSender, sync_channel};

use settings::table::Metrics;

use super::{Kind, Metric};

/// What fits into a datagram on any network.
const DATAGRAM: usize = 1_432;

#[derive(Debug)]
enum Address {
    Udp(String),
    Unix(String),
}

/// Sends metrics from a thread of its own, as looking up a host may take long.
#[derive(Debug)]
pub struct DogStatsd {
    queue: SyncSender<Vec<Metric>>,
}

impl DogStatsd {
    /// Starts the thread, if the settings want metrics.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(metrics: &Metrics, tags: &[String]) -> io::Result<Option<Self>> {
        let socket = metrics.dogstatsd_socket.trim();
        let address = match socket.strip_prefix("unix://").unwrap_or(socket) {
            "" if !metrics.dogstatsd => return Ok(None),
            "" => Address::Udp(format!("{}:{}", metrics.dogstatsd_host, metrics.dogstatsd_port)),
            path => Address::Unix(path.to_owned()),
        };
        let (queue, metrics) = sync_channel::<Vec<Metric>>(1);
        let mut encoder = Encoder::new(tags);
        std::thread::Builder::new().name("metrics".to_owned()).stack_size(128 << 10).spawn(move || {
            let mut failing = false;
            for metrics in metrics {
                let sent = address.send(&encoder.datagrams(&metrics));
                let is_new = !std::mem::replace(&mut failing, sent.is_err());
                if let (Err(error), true) = (sent, is_new) {
                    tracing::warn!(%error, ?address, "cannot send metrics");
                }
            }
        })?;
        Ok(Some(Self { queue }))
    }

    /// Hands metrics over; never waits.
    pub fn send(&self, metrics: Vec<Metric>) {
        // The next ones count what these did.
        let _late = self.queue.try_send(metrics);
    }
}

impl Address {
    fn send(&self, datagrams: &[String]) -> io::Result<()> {
        match self {
            Self::Udp(host) => {
                let no_host = || io::Error::new(io::ErrorKind::NotFound, "no such host");
                let to = host.to_socket_addrs()?.next().ok_or_else(no_host)?;
                let socket = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
                for datagram in datagrams {
                    // Not connected: a server that is away is no error, it may come.
                    socket.send_to(datagram.as_bytes(), to)?;
                }
            }
            Self::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_nonblocking(true)?;
                for datagram in datagrams {
                    socket.send_to(datagram.as_bytes(), path)?;
                }
            }
        }
        Ok(())
    }
}

/// Turns counts into what was added since they were sent last.
#[derive(Debug)]
struct Encoder {
    /// Tags of the host, at the end of each line.
    tags: String,
    last: BTreeMap<String, f64>,
}

impl Encoder {
    fn new(tags: &[String]) -> Self {
        let tags = tags.iter().map(|tag| safe(tag)).collect::<Vec<_>>().join(",");
        Self { tags, last: BTreeMap::new() }
    }

    fn datagrams(&mut self, metrics: &[Metric]) -> Vec<String> {
        let mut datagrams = vec![String::new()];
        for line in metrics.iter().filter_map(|metric| self.line(metric)) {
            if let Some(last) = datagrams.last_mut().filter(|last| last.len() + 1 + line.len() <= DATAGRAM) {
                if !last.is_empty() {
                    last.push('\n');
                }
                last.push_str(&line);
            } else {
                datagrams.push(line);
            }
        }
        datagrams.retain(|datagram| !datagram.is_empty());
        datagrams
    }

    /// `None`: nothing was added.
    fn line(&mut self, metric: &Metric) -> Option<String> {
        let own: Vec<String> =
            metric.tags.iter().map(|(name, value)| format!("{name}:{}", safe(value))).collect();
        let own = own.join(",");
        let (value, kind) = match metric.kind {
            Kind::Gauge => (metric.value, 'g'),
            Kind::Counter => {
                let last = self.last.insert(format!("{}|{own}", metric.name), metric.value).unwrap_or(0.0);
                // A count that fell has begun anew.
                let added = if metric.value < last { metric.value } else { metric.value - last };
                (added, 'c')
            }
        };
        if metric.kind == Kind::Counter && value == 0.0 {
            return None;
        }
        let mut line = format!("{}:{value}|{kind}", metric.name);
        let tags: Vec<&str> =
            [own.as_str(), &self.tags].into_iter().filter(|tags| !tags.is_empty()).collect();
        if !tags.is_empty() {
            // Writing to a string does not fail.
            let _infallible = write!(line, "|#{}", tags.join(","));
        }
        Some(line)
    }
}

/// Without what would end a tag or a line.
fn safe(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, ',' | '|' | '#') { '_' } else { c })
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(kind: Kind, tag: &str, value: f64) -> Metric {
        Metric { name: "x.y", kind, help: "", tags: vec![("rule_id", tag.to_owned())], value }
    }

    #[test]
    fn counts_are_sent_as_what_was_added() {
        let mut encoder = Encoder::new(&["env:prod".to_owned()]);
        let mut lines = |kind, tag: &str, value| encoder.datagrams(&[metric(kind, tag, value)]);
        assert_eq!(lines(Kind::Counter, "a", 5.0), ["x.y:5|c|#rule_id:a,env:prod"]);
        assert_eq!(lines(Kind::Counter, "b", 1.0), ["x.y:1|c|#rule_id:b,env:prod"]);
        assert_eq!(lines(Kind::Counter, "a", 7.0), ["x.y:2|c|#rule_id:a,env:prod"]);
        assert_eq!(lines(Kind::Counter, "a", 7.0), Vec::<String>::new());
        assert_eq!(lines(Kind::Counter, "a", 3.0), ["x.y:3|c|#rule_id:a,env:prod"]);
        assert_eq!(lines(Kind::Gauge, "a,b\n|#", 0.5), ["x.y:0.5|g|#rule_id:a_b___,env:prod"]);
    }

    #[test]
    fn datagrams_are_short_and_arrive() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let settings = Metrics {
            dogstatsd: true,
            dogstatsd_host: "127.0.0.1".to_owned(),
            dogstatsd_port: server.local_addr().unwrap().port().into(),
            ..Metrics::default()
        };
        let sender = DogStatsd::start(&settings, &[]).unwrap().unwrap();
        let metrics: Vec<Metric> =
            (0..200).map(|number| metric(Kind::Gauge, &format!("rule-{number}"), 1.0)).collect();
        sender.send(metrics);
        let (mut lines, mut buffer) = (0, [0; 8192]);
        while lines < 200 {
            let length = server.recv(&mut buffer).unwrap();
            assert!(length <= DATAGRAM);
            lines += std::str::from_utf8(&buffer[..length]).unwrap().lines().count();
        }
        assert_eq!(lines, 200);
    }

    #[test]
    fn a_socket_turns_metrics_on_and_nothing_else_does() {
        assert!(DogStatsd::start(&Metrics::default(), &[]).unwrap().is_none());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dsd.socket");
        let server = UnixDatagram::bind(&path).unwrap();
        let settings =
            Metrics { dogstatsd_socket: format!("unix://{}", path.display()), ..Metrics::default() };
        let sender = DogStatsd::start(&settings, &[]).unwrap().unwrap();
        sender.send(vec![metric(Kind::Gauge, "a", 1.0)]);
        let mut buffer = [0; 100];
        let length = server.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"x.y:1|g|#rule_id:a");
    }
}
