//! An intake without TLS, which remembers what it accepts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use serde_json::Value;

#[derive(Debug, Default)]
struct Inner {
    status: AtomicU16,
    refused: AtomicBool,
    ended: AtomicBool,
    entries: Mutex<Vec<Value>>,
    heads: Mutex<Vec<String>>,
}

#[derive(Debug)]
pub(crate) struct Intake {
    address: SocketAddr,
    inner: Arc<Inner>,
}

impl Intake {
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let inner = Arc::new(Inner::default());
        let shared = Arc::clone(&inner);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                // An agent that is killed goes away in the middle.
                std::thread::spawn(move || shared.serve(&stream).ok());
            }
        });
        Ok(Self { address, inner })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it answers from now on; it takes what it answers with 2xx.
    pub(crate) fn answer(&self, status: u16) {
        self.inner.status.store(status, Ordering::SeqCst);
    }

    pub(crate) fn refused(&self) -> bool {
        self.inner.refused.load(Ordering::SeqCst)
    }

    pub(crate) fn entries(&self) -> Vec<Value> {
        self.inner.entries.lock().map(|entries| entries.clone()).unwrap_or_default()
    }

    pub(crate) fn first_head(&self) -> String {
        self.inner.heads.lock().ok().and_then(|heads| heads.first().cloned()).unwrap_or_default()
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.inner.ended.store(true, Ordering::SeqCst);
        // Wakes the listener.
        drop(TcpStream::connect(self.address));
    }
}

impl Inner {
    fn serve(&self, mut stream: &TcpStream) -> Result<()> {
        let mut reader = BufReader::new(stream);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head)? == 0 {
                    return Ok(());
                }
            }
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
            });
            let mut body = vec![0; length.context("a length")?];
            reader.read_exact(&mut body)?;
            let status = self.status.load(Ordering::SeqCst);
            if (200..300).contains(&status) {
                let entries: Vec<Value> = serde_json::from_slice(&body)?;
                if let Ok(mut all) = self.entries.lock() {
                    all.extend(entries);
                }
            } else {
                self.refused.store(true, Ordering::SeqCst);
            }
            if let Ok(mut heads) = self.heads.lock() {
                heads.push(head);
            }
            write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n")?;
        }
    }
}
