//! A name service of our own, on addresses that nobody else uses.
//!
//! `alias…` is an alias of `real.test`, `missing…` does not exist, `long…` does not fit into a datagram; everything else is
//! 192.0.2.77 and 2001:db8::77, and has a text, a mail server and a service.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::wire::name;

/// Running until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Answers over UDP and TCP.
    pub(crate) fn start(address: &str) -> Result<Self> {
        let address: SocketAddr = address.parse()?;
        let datagrams = UdpSocket::bind(address).with_context(|| format!("bind {address}"))?;
        let streams = TcpListener::bind(address).with_context(|| format!("listen at {address}"))?;
        datagrams.set_read_timeout(Some(Duration::from_millis(50)))?;
        streams.set_nonblocking(true)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (first, second) = (Arc::clone(&stop), Arc::clone(&stop));
        let threads = vec![
            std::thread::spawn(move || answer_datagrams(&datagrams, &first)),
            std::thread::spawn(move || answer_streams(&streams, &second)),
        ];
        Ok(Self { address, stop, threads })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic of it shows in what the test sees.
            let _ended = thread.join();
        }
    }
}

fn answer_datagrams(socket: &UdpSocket, stop: &AtomicBool) {
    let mut buffer = [0; 4096];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut buffer)
            && let Some(answer) = answer(&buffer[..length], true)
        {
            let _sent = socket.send_to(&answer, from);
        }
    }
}

fn answer_streams(listener: &TcpListener, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let Ok((mut stream, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        let _blocking = stream.set_nonblocking(false);
        let _bounded = stream.set_read_timeout(Some(Duration::from_secs(10)));
        let mut length = [0; 2];
        while stream.read_exact(&mut length).is_ok() {
            let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
            if stream.read_exact(&mut message).is_err() {
                break;
            }
            let Some(answer) = answer(&message, false) else { break };
            // Byte by byte, so that each is a segment of its own.
            let _immediately = stream.set_nodelay(true);
            for byte in crate::wire::framed(&answer) {
                if stream.write_all(&[byte]).is_err() {
                    break;
                }
            }
        }
    }
}

/// The answer to a message's first question; it repeats that one alone.
fn answer(message: &[u8], is_datagram: bool) -> Option<Vec<u8>> {
    let end = 12 + message.get(12..)?.iter().position(|byte| *byte == 0)? + 5;
    let question = message.get(12..end)?;
    let question_type = u16::from_be_bytes([question[question.len() - 4], question[question.len() - 3]]);
    let asked = question.get(1..)?.to_ascii_lowercase();
    // TC: what there is to say is asked for by TCP.
    let truncated = if is_datagram && asked.starts_with(b"long") { 0x02 } else { 0 };
    let (code, mut records) = (if asked.starts_with(b"missing") { 3 } else { 0 }, Vec::new());
    if code == 0 && truncated == 0 {
        let mut owner = vec![0xc0, 12];
        if asked.starts_with(b"alias") {
            records.push(record(&owner, 5, &name("real.test")));
            owner = name("real.test");
        }
        match question_type {
            1 => records.push(record(&owner, 1, &[192, 0, 2, 77])),
            28 => records.push(record(
                &owner,
                28,
                &[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x77],
            )),
            15 => records.push(record(&owner, 15, &[&[0, 10][..], &name("mail.test")].concat())),
            16 => records.push(record(&owner, 16, b"\x0bhello=world")),
            33 => {
                records.push(record(
                    &owner,
                    33,
                    &[&[0, 1, 0, 2, 0x20, 0xfb][..], &name("real.test")].concat(),
                ));
            }
            _ => {}
        }
    }
    let count = u8::try_from(records.len()).ok()?;
    let header = [message[0], message[1], 0x81 | truncated, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0];
    Some([&header[..], question, &records.concat()].concat())
}

fn record(owner: &[u8], record_type: u8, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len()).unwrap_or(u8::MAX);
    [owner, &[0, record_type, 0, 1, 0, 0, 1, 44, 0, length], data].concat()
}
