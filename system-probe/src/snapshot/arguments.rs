//! Arguments and environment of a running process, added to its synthetic record.
//!
//! They lie in pageable memory of the process, which a BPF iterator can't read; `/proc/PID/cmdline` and `environ`
//! can. Two things could go wrong: another process has the pid by now, or the process changed its image since
//! its record was made. The first is impossible because all is read through one descriptor of `/proc/PID`, which
//! keeps meaning the process it was opened for, after its start time was compared. For the second, the inode of the
//! image is compared after reading; the arguments are left out if it differs, and the exec event that follows
//! in the stream has them.

use std::io;
use std::ops::ControlFlow;

use proto::wire::Kind;
use proto::wire::Record;
use proto::wire::RecordBuilder;
use proto::wire::layout;
use proto::wire::layout::exec_body;
use proto::wire::layout::exec_chunk_body;
use proto::wire::layout::record_header;
use proto::wire::layout::span;
use proto::wire::layout::task_context;
use zerocopy::IntoBytes;

use super::Emit;
use super::procfs::ProcessDir;

const BODY_OFFSET: usize = size_of::<record_header>() + size_of::<task_context>();

/// One of the two blocks of strings.
struct Block {
    /// The file below `/proc/PID`.
    file: &'static str,
    /// `CHUNK_*`
    what: u32,
    inline_max: usize,
    size_max: usize,
    truncated: u32,
    chunked: u32,
    error: u32,
}

const ARGS: Block = Block {
    file: "cmdline",
    what: layout::CHUNK_ARGS,
    inline_max: layout::ARGS_INLINE_MAX as usize,
    size_max: layout::ARGS_SIZE_MAX as usize,
    truncated: layout::EXEC_FLAG_ARGS_TRUNCATED,
    chunked: layout::EXEC_FLAG_ARGS_CHUNKED,
    error: layout::ERROR_ARGS,
};

const ENVS: Block = Block {
    file: "environ",
    what: layout::CHUNK_ENVS,
    inline_max: layout::ENVS_INLINE_MAX as usize,
    size_max: layout::ENVS_SIZE_MAX as usize,
    truncated: layout::EXEC_FLAG_ENVS_TRUNCATED,
    chunked: layout::EXEC_FLAG_ENVS_CHUNKED,
    error: layout::ERROR_ENVS,
};

/// Strings as they were found.
struct Strings {
    /// NUL-separated, cut at the block's limit.
    bytes: Vec<u8>,
    /// Bytes before the cut.
    size: u32,
    /// Strings before the cut.
    count: u32,
}

/// Emits `record`, an exec record without arguments, with those of the process behind `process`; long ones in
/// chunks before it. `process` is None when the process is gone: then it is emitted as it is, flagged.
pub(super) fn emit_with_arguments(
    record: Record<'_>,
    process: Option<&ProcessDir>,
    emit: &mut Emit<'_>,
) -> ControlFlow<()> {
    let mut exec = Exec::new(record);
    let strings = process.and_then(|process| read_strings(&exec, process).ok());
    match strings {
        Some((args, envs)) => {
            let (size, count) = (args.size, args.count);
            let span = exec.add(&ARGS, args, emit)?;
            exec.body = exec_body { args: span, args_size: size, args_count: count, ..exec.body };
            let (size, count) = (envs.size, envs.count);
            let span = exec.add(&ENVS, envs, emit)?;
            exec.body = exec_body { envs: span, envs_size: size, envs_count: count, ..exec.body };
        }
        None => exec.header.errors |= ARGS.error | ENVS.error,
    }
    emit(&exec.finish())
}

fn read_strings(exec: &Exec, process: &ProcessDir) -> io::Result<(Strings, Strings)> {
    let gone = || io::Error::from(io::ErrorKind::NotFound);
    if process.stat()?.start_ticks != super::procfs::ticks(exec.context.start_time_ns) {
        return Err(gone());
    }
    let args = Strings::read(process, &ARGS)?;
    let envs = Strings::read(process, &ENVS)?;
    let image = if exec.body.flags & layout::EXEC_FLAG_INTERPRETED == 0 {
        &exec.body.file
    } else {
        &exec.body.interpreter
    };
    let known = image.flags & layout::FILE_FLAG_VALID != 0;
    if known && process.metadata("exe")?.st_ino != image.inode {
        return Err(gone());
    }
    Ok((args, envs))
}

impl Strings {
    fn read(process: &ProcessDir, block: &Block) -> io::Result<Self> {
        let file = process.read(block.file, block.size_max)?;
        Ok(Self {
            size: u32::try_from(file.size).unwrap_or(u32::MAX),
            count: u32::try_from(file.nul_bytes).unwrap_or(u32::MAX),
            bytes: file.bytes,
        })
    }
}

/// An exec record that is being completed.
struct Exec {
    bytes: Vec<u8>,
    header: record_header,
    context: task_context,
    body: exec_body,
}

impl Exec {
    fn new(record: Record<'_>) -> Self {
        Self {
            bytes: record.bytes().to_vec(),
            header: record.header(),
            context: record.context(),
            body: record.body(),
        }
    }

    /// Puts the strings into the record or, if they are long, into chunks that are emitted. Gives the span.
    fn add(&mut self, block: &Block, strings: Strings, emit: &mut Emit<'_>) -> ControlFlow<(), span> {
        if strings.size as usize > strings.bytes.len() {
            self.body.flags |= block.truncated;
        }
        if strings.bytes.len() <= block.inline_max
            && let Some(span) = self.append(&strings.bytes)
        {
            return ControlFlow::Continue(span);
        }
        self.body.flags |= block.chunked;
        let mut offset = 0;
        for piece in strings.bytes.chunks(layout::CHUNK_SIZE_MAX as usize) {
            let mut builder = RecordBuilder::new(Kind::ExecChunk);
            let body =
                exec_chunk_body { what: block.what, offset, data: builder.push(piece), ..Default::default() };
            emit(&builder.finish(record_header { errors: 0, ..self.header }, &self.context, &body))?;
            offset += u32::from(body.data.length);
        }
        ControlFlow::Continue(span::default())
    }

    /// Adds to the tail. None if the record has no room.
    fn append(&mut self, data: &[u8]) -> Option<span> {
        let start = self.bytes.len();
        if start + data.len() + 8 > layout::RECORD_SIZE_MAX as usize {
            return None;
        }
        let span = span { offset: u16::try_from(start).ok()?, length: u16::try_from(data.len()).ok()? };
        self.bytes.extend_from_slice(data);
        Some(span)
    }

    fn finish(mut self) -> Vec<u8> {
        let size = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(size, 0);
        self.header.size = u32::try_from(size).unwrap_or(layout::RECORD_SIZE_MAX);
        let parts = [(0, self.header.as_bytes()), (BODY_OFFSET, self.body.as_bytes())];
        for (offset, part) in parts {
            if let Some(place) = self.bytes.get_mut(offset..offset + part.len()) {
                place.copy_from_slice(part);
            }
        }
        self.bytes
    }
}
