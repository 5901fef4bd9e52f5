//! Captures: a stream in a file, for tests and bug reports.
//!
//! A capture holds what the agent received, batch by batch, and what it looked up meanwhile (names of users and groups),
//! so that its evaluation needs no probe, no kernel and no privileges, and gives the same signals everywhere.
//!
//! The file begins with [`MAGIC`]; then frames follow, each a protobuf message with its length before it (varint). The
//! first frame is the header. Frames of kinds that the reader does not know are left out. A capture holds command lines
//! and environments as they were: whoever passes one on passes these on.

use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use engine::{HostFacts, KernelVersion};
use model::Text;
use prost::Message;
use proto::v1::{Batch, ContainerReply, HelloReply};
use proto::wire::RECORD_LAYOUT_HASH;

use crate::resolve::users::{Names, Users};

/// How a capture begins; the last byte before the newline is the version of the format.
pub const MAGIC: &[u8; 9] = b"CWS-CAP1\n";

/// Longest frame that is read, bytes. The longest that is written holds 65,536 names.
const FRAME_SIZE_MAX: usize = 32 << 20;

/// A frame of a capture.
#[derive(Clone, PartialEq, Message)]
pub struct Frame {
    /// What it holds.
    #[prost(oneof = "Content", tags = "1, 2, 3, 4, 5, 6")]
    pub content: Option<Content>,
}

/// What a frame holds.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Content {
    /// The first frame.
    #[prost(message, tag = "1")]
    Header(Header),
    /// A stream begins.
    #[prost(message, tag = "2")]
    Connected(HelloReply),
    /// Names of users and groups, from here on.
    #[prost(message, tag = "3")]
    Names(NameLists),
    /// Records.
    #[prost(message, tag = "4")]
    Batch(Batch),
    /// The stream ended, for this reason.
    #[prost(string, tag = "5")]
    Disconnected(String),
    /// What a container runtime said.
    #[prost(message, tag = "6")]
    Container(ContainerAnswer),
}

/// The first frame.
#[derive(Clone, PartialEq, Message)]
pub struct Header {
    /// Layout of the records.
    #[prost(fixed64, tag = "1")]
    pub layout_hash: u64,
    /// Version of the agent that wrote it.
    #[prost(string, tag = "2")]
    pub agent_version: String,
    /// Host name in reports of that agent, if it was configured.
    #[prost(string, tag = "3")]
    pub hostname: String,
    /// `ID` of the os-release file.
    #[prost(string, tag = "4")]
    pub os_id: String,
    /// `VERSION_ID` of the os-release file.
    #[prost(string, tag = "5")]
    pub os_version_id: String,
    /// Release of the kernel.
    #[prost(string, tag = "6")]
    pub kernel_release: String,
}

impl Header {
    /// For a capture that begins now, on this host.
    #[must_use]
    pub fn new(hostname: &str, facts: &HostFacts) -> Self {
        Self {
            layout_hash: RECORD_LAYOUT_HASH,
            agent_version: super::client::VERSION.to_owned(),
            hostname: hostname.to_owned(),
            os_id: facts.os_id.clone(),
            os_version_id: facts.os_version_id.clone(),
            kernel_release: rustix::system::uname().release().to_string_lossy().into_owned(),
        }
    }

    /// The facts of the host that was captured.
    #[must_use]
    pub fn facts(&self) -> HostFacts {
        HostFacts {
            os_id: self.os_id.clone(),
            os_version_id: self.os_version_id.clone(),
            kernel: KernelVersion::parse(&self.kernel_release),
            hostname: self.hostname.clone(),
            ..HostFacts::default()
        }
    }
}

/// What a container runtime said about a container, or that none did.
#[derive(Clone, PartialEq, Message)]
pub struct ContainerAnswer {
    /// Id of the container.
    #[prost(string, tag = "1")]
    pub id: String,
    /// What was said.
    #[prost(message, optional, tag = "2")]
    pub reply: Option<ContainerReply>,
}

impl ContainerAnswer {
    /// An answer.
    #[must_use]
    pub fn new(id: String, reply: ContainerReply) -> Self {
        Self { id, reply: Some(reply) }
    }
}

/// Names of users and groups.
#[derive(Clone, PartialEq, Message)]
pub struct NameLists {
    /// Users.
    #[prost(message, repeated, tag = "1")]
    pub users: Vec<Name>,
    /// Groups.
    #[prost(message, repeated, tag = "2")]
    pub groups: Vec<Name>,
}

/// A number and its name.
#[derive(Clone, PartialEq, Message)]
pub struct Name {
    /// User or group id.
    #[prost(uint32, tag = "1")]
    pub id: u32,
    /// Its name.
    #[prost(bytes = "vec", tag = "2")]
    pub name: Vec<u8>,
}

impl NameLists {
    /// All names of `users`, by number.
    #[must_use]
    pub fn of(users: &Users) -> Self {
        let list = |names: &Names| {
            let mut list: Vec<Name> =
                names.iter().map(|(id, name)| Name { id: *id, name: name.to_vec() }).collect();
            list.sort_unstable_by_key(|name| name.id);
            list
        };
        Self { users: list(users.users()), groups: list(users.groups()) }
    }

    /// The names for look-ups.
    #[must_use]
    pub fn to_users(&self) -> Users {
        let names = |list: &[Name]| list.iter().map(|name| (name.id, Text::new(&name.name))).collect();
        Users::fixed(names(&self.users), names(&self.groups))
    }
}

/// Why a capture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be opened, read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Another kind of file.
    #[error("not a capture, or one of another version")]
    Magic,
    /// The records are of another version.
    #[error(
        "captured by version {version} with record layout {theirs:#018x}; this version reads {RECORD_LAYOUT_HASH:#018x}"
    )]
    Layout {
        /// Version of the agent that captured.
        version: String,
        /// Its layout.
        theirs: u64,
    },
    /// A frame is too long or malformed.
    #[error("damaged after {frames} frames: {reason}")]
    Damaged {
        /// Frames before it.
        frames: u64,
        /// What is wrong.
        reason: String,
    },
}

/// Makes the bytes of a capture, piece by piece.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    names_version: Option<u64>,
}

impl Writer {
    /// Begins a capture.
    #[must_use]
    pub fn new(header: Header) -> Self {
        let mut writer = Self { bytes: MAGIC.to_vec(), names_version: None };
        writer.write(Content::Header(header));
        writer
    }

    /// Appends a frame.
    pub fn write(&mut self, content: Content) {
        self.bytes.extend_from_slice(&Frame { content: Some(content) }.encode_length_delimited_to_vec());
    }

    /// Appends the names, if they changed since the last time.
    pub fn write_names(&mut self, users: &Users) {
        if self.names_version != Some(users.version()) {
            self.names_version = Some(users.version());
            self.write(Content::Names(NameLists::of(users)));
        }
    }

    /// The bytes since the last call.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

/// Reads a capture, frame by frame.
#[derive(Debug)]
pub struct Reader<R: Read> {
    input: BufReader<R>,
    frames: u64,
    header: Header,
}

impl Reader<std::fs::File> {
    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be read or is no capture that this version understands.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        Self::new(std::fs::File::open(path)?)
    }
}

impl<R: Read> Reader<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// If it is no capture that this version understands.
    pub fn new(input: R) -> Result<Self, CaptureError> {
        let mut reader = Self { input: BufReader::new(input), frames: 0, header: Header::default() };
        let mut magic = [0; MAGIC.len()];
        match reader.input.read_exact(&mut magic) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(CaptureError::Magic),
            result => result?,
        }
        if magic != *MAGIC {
            return Err(CaptureError::Magic);
        }
        match reader.next().transpose()? {
            Some(Content::Header(header)) if header.layout_hash == RECORD_LAYOUT_HASH => {
                Ok(Self { header, ..reader })
            }
            Some(Content::Header(Header { layout_hash: theirs, agent_version: version, .. })) => {
                Err(CaptureError::Layout { version, theirs })
            }
            _ => Err(reader.damaged("no header")),
        }
    }

    /// What the capture says about its host.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    fn damaged(&self, reason: impl ToString) -> CaptureError {
        CaptureError::Damaged { frames: self.frames, reason: reason.to_string() }
    }

    fn read_frame(&mut self) -> Result<Option<Frame>, CaptureError> {
        let Some(length) = self.read_length()? else { return Ok(None) };
        let mut bytes = Vec::new();
        let limit = u64::try_from(length).unwrap_or(u64::MAX);
        // `take` rather than a buffer of that size: the length is not to be trusted.
        self.input.by_ref().take(limit).read_to_end(&mut bytes)?;
        if bytes.len() < length {
            return Err(self.damaged("the last frame is not complete"));
        }
        let frame = Frame::decode(bytes.as_slice()).map_err(|error| self.damaged(error))?;
        self.frames += 1;
        Ok(Some(frame))
    }

    /// The length of the next frame; `None` at the end of the file.
    fn read_length(&mut self) -> Result<Option<usize>, CaptureError> {
        let mut length = 0_usize;
        for shift in (0..28).step_by(7) {
            let mut byte = [0];
            match self.input.read_exact(&mut byte) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof && shift == 0 => return Ok(None),
                result => result?,
            }
            length |= usize::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                if length > FRAME_SIZE_MAX {
                    return Err(self.damaged("frame too long"));
                }
                return Ok(Some(length));
            }
        }
        Err(self.damaged("frame too long"))
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Content, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.read_frame().transpose()? {
                Ok(Frame { content: Some(content) }) => return Some(Ok(content)),
                Ok(Frame { content: None }) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header { layout_hash: RECORD_LAYOUT_HASH, kernel_release: "6.1.2".into(), ..Header::default() }
    }

    fn capture(contents: Vec<Content>) -> Vec<u8> {
        let mut writer = Writer::new(header());
        contents.into_iter().for_each(|content| writer.write(content));
        writer.take()
    }

    #[test]
    fn what_was_written_is_read() {
        let batch = Batch { first_sequence: 7, records: vec![1; 300_000].into(), ..Batch::default() };
        let contents = vec![
            Content::Connected(HelloReply { boot_id: "x".into(), ..HelloReply::default() }),
            Content::Batch(batch),
            Content::Disconnected("gone".into()),
        ];
        let bytes = capture(contents.clone());
        let reader = Reader::new(bytes.as_slice()).unwrap();
        assert_eq!(reader.header().facts().kernel.major, 6);
        let read: Result<Vec<Content>, CaptureError> = reader.collect();
        assert_eq!(read.unwrap(), contents);
    }

    #[test]
    fn names_are_written_when_they_change() {
        let users = Users::fixed([(0, Text::from("root"))].into_iter().collect(), Names::default());
        let mut writer = Writer::new(header());
        writer.write_names(&users);
        writer.write_names(&users);
        let bytes = writer.take();
        let contents: Vec<Content> = Reader::new(bytes.as_slice()).unwrap().flatten().collect();
        let [Content::Names(names)] = contents.as_slice() else { panic!("{contents:?}") };
        assert_eq!(&*names.to_users().user(0), b"root");
    }

    #[test]
    fn other_files_and_other_versions_are_refused() {
        assert!(matches!(Reader::new(&b"short"[..]), Err(CaptureError::Magic)));
        assert!(matches!(Reader::new(&b"CWS-CAP9\nrest"[..]), Err(CaptureError::Magic)));
        assert!(matches!(Reader::new(&MAGIC[..]), Err(CaptureError::Damaged { .. })));
        let mut bytes = MAGIC.to_vec();
        let header = Header { layout_hash: 1, agent_version: "0.0.9".into(), ..Header::default() };
        Frame { content: Some(Content::Header(header)) }.encode_length_delimited(&mut bytes).unwrap();
        let error = Reader::new(bytes.as_slice()).unwrap_err();
        assert!(error.to_string().contains("0.0.9"), "{error}");
    }

    #[test]
    fn a_file_that_was_cut_gives_what_it_has_and_an_error() {
        let mut bytes = capture(vec![Content::Disconnected("a".into()), Content::Disconnected("b".into())]);
        bytes.pop();
        let read: Vec<_> = Reader::new(bytes.as_slice()).unwrap().collect();
        assert!(matches!(read.as_slice(), [Ok(_), Err(CaptureError::Damaged { frames: 2, .. })]), "{read:?}");
    }

    #[test]
    fn an_endless_length_is_refused() {
        let mut bytes = capture(Vec::new());
        bytes.extend([0xff; 40]);
        assert!(Reader::new(bytes.as_slice()).unwrap().next().unwrap().is_err());
    }
}
