//! TLS within a packet: the version that a client asks for.

use model::Tls;

use super::headers::{Content, Headers};

/// Type of the record: handshake; of the handshake: client hello; of the extension: supported versions.
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SUPPORTED_VERSIONS: u16 = 43;

/// What a packet that begins with a client hello tells.
pub(super) fn of(headers: &Headers<'_>) -> Option<Tls> {
    let Content::Tcp { bytes, .. } = headers.content else { return None };
    version(bytes).map(|version| Tls { version })
}

/// The highest version that it supports; since TLS 1.3 the one at the beginning is always 1.2.
fn version(bytes: &[u8]) -> Option<u16> {
    let mut hello = Reader(bytes);
    let header = hello.take(9)?;
    if header[0] != HANDSHAKE || header[1] != 3 || header[5] != CLIENT_HELLO {
        return None;
    }
    let version = hello.number()?;
    Some(hello.supported_versions().unwrap_or(version))
}

struct Reader<'p>(&'p [u8]);

impl<'p> Reader<'p> {
    fn take(&mut self, count: usize) -> Option<&'p [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u16> {
        self.take(2)?.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes))
    }

    /// Behind the version: random, session, cipher suites, compression, extensions.
    fn supported_versions(&mut self) -> Option<u16> {
        self.take(32)?;
        let session = self.byte()?;
        self.take(session.into())?;
        let suites = self.number()?;
        self.take(suites.into())?;
        let compression = self.byte()?;
        self.take(compression.into())?;
        self.number()?;
        loop {
            let (extension, length) = (self.number()?, self.number()?);
            let data = self.take(length.into())?;
            if extension == SUPPORTED_VERSIONS {
                let versions =
                    data.get(1..)?.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                // Some numbers mean nothing, so that servers get used to numbers that they do not know.
                return versions.filter(|version| version >> 8 == 3).max();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(extensions: &[u8]) -> Vec<u8> {
        let mut hello = vec![HANDSHAKE, 3, 1, 0, 0, CLIENT_HELLO, 0, 0, 0, 3, 3];
        hello.extend([7; 32]);
        hello.extend([2, 9, 9, 0, 2, 0x13, 1, 1, 0]);
        hello.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        hello.extend(extensions);
        hello
    }

    #[test]
    fn the_highest_supported_version_counts() {
        assert_eq!(version(&hello(&[])), Some(0x0303));
        let extensions = [0, 0, 0, 1, 5, 0, 43, 0, 7, 6, 0x1a, 0x1a, 3, 4, 3, 3];
        assert_eq!(version(&hello(&extensions)), Some(0x0304));
    }

    #[test]
    fn what_is_cut_or_something_else_is_no_hello() {
        let whole = hello(&[0, 43, 0, 3, 2, 3, 4]);
        for end in 0..whole.len() {
            let found = version(&whole[..end]);
            assert!(if end < 11 { found.is_none() } else { found == Some(0x0303) }, "{end}: {found:?}");
        }
        assert_eq!(version(b"GET / HTTP/1.1\r\n\r\n"), None);
    }
}
