//! A packet as bytes.

/// What the bytes of a packet begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkType {
    /// An Ethernet header.
    Ethernet,
    /// An IPv4 or IPv6 header.
    Raw,
}

/// A packet, possibly cut off.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    pub(crate) link: LinkType,
    pub(crate) bytes: &'a [u8],
    pub(crate) length: u32,
}

/// The packet is too short for what was to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooShort;

impl<'a> Packet<'a> {
    /// A packet of which all bytes are there.
    #[must_use]
    pub fn new(link: LinkType, bytes: &'a [u8]) -> Self {
        Self { link, bytes, length: u32::try_from(bytes.len()).unwrap_or(u32::MAX) }
    }

    /// Says how long the packet was before it was cut off; for `len`, `less` and `greater`.
    #[must_use]
    pub const fn with_length(self, length: u32) -> Self {
        Self { length, ..self }
    }

    /// Reads 1, 2 or 4 bytes, the first one being the highest.
    pub(crate) fn load(&self, offset: u64, size: u8) -> Result<u32, TooShort> {
        let start = usize::try_from(offset).map_err(|_| TooShort)?;
        let end = start.checked_add(size.into()).ok_or(TooShort)?;
        let bytes = self.bytes.get(start..end).ok_or(TooShort)?;
        Ok(bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
    }
}
