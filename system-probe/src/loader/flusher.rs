//! The thread that reads what is told once in a period: capabilities that were used, traffic by flow. The programs that
//! give it are iterators over maps, so reading does not disturb others as a look at the maps would.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use proto::wire::Kind;
use proto::wire::Record;
use proto::wire::RecordBuilder;
use proto::wire::layout::FLOWS_MAX;
use proto::wire::layout::flow;
use proto::wire::layout::flows_body;
use proto::wire::layout::record_header;
use proto::wire::layout::task_context;

use super::Watcher;
use crate::plan::Program;
use crate::ring;
use crate::snapshot::for_each_record;
use crate::stream::Queue;

/// Name of the thread (`/proc/PID/task/TID/comm`).
const THREAD_NAME: &str = "flusher";

/// The running thread.
#[derive(Debug)]
pub(crate) struct Flusher {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Flusher {
    /// Starts it: each program is read at the end of each of its periods, as long as it is attached.
    pub(crate) fn start(
        watcher: Arc<Watcher>,
        queue: Arc<Queue>,
        periods: &[(Program, Duration)],
    ) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let start = Instant::now();
        let mut due: Vec<_> =
            periods.iter().map(|(program, period)| (start + *period, *program, *period)).collect();
        let thread = thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || {
            while let Some(next) = due.iter().map(|(at, ..)| *at).min() {
                match stopped.recv_timeout(next.saturating_duration_since(Instant::now())) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
                let now = Instant::now();
                for (at, program, period) in due.iter_mut().filter(|(at, ..)| *at <= now) {
                    flush(&watcher, &queue, program);
                    *at = now + *period;
                }
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// Ends it.
    pub(crate) fn stop(self) {
        // An error means that it has ended.
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("the flusher panicked");
        }
    }
}

fn flush(watcher: &Watcher, queue: &Queue, program: &Program) {
    let Some(iterator) = watcher.read(program) else { return };
    let result = iterator.map_err(io::Error::other).and_then(|iterator| {
        let mut flows = Flows::default();
        for_each_record(iterator, &mut |record| {
            match record.kind() {
                Kind::Flows => flows.add(&record),
                _ => ring::accept(queue, record.bytes()),
            }
            ControlFlow::Continue(())
        })?;
        for record in flows.into_records() {
            ring::accept(queue, &record);
        }
        queue.flush();
        Ok(())
    });
    if let Err(error) = result {
        tracing::warn!(%error, program = program.name, "cannot read what is told once in a period");
    }
}

/// The flows of one process by one interface.
type Group = (u32, u64, u32, u32);

/// Records of one flow each, put together.
#[derive(Default)]
struct Flows(BTreeMap<Group, Gathered>);

struct Gathered {
    header: record_header,
    context: task_context,
    body: flows_body,
    flows: Vec<u8>,
}

impl Flows {
    fn add(&mut self, record: &Record<'_>) {
        let (context, body) = (record.context(), record.body::<flows_body>());
        let group = (context.pid, context.start_time_ns, body.net_ns, body.interface);
        let gathered = self.0.entry(group).or_insert_with(|| Gathered {
            header: record.header(),
            context,
            body,
            flows: Vec::new(),
        });
        gathered.flows.extend_from_slice(record.span(body.flows));
    }

    fn into_records(self) -> Vec<Vec<u8>> {
        let room = FLOWS_MAX as usize * size_of::<flow>();
        let records = self.0.into_values().flat_map(|gathered| {
            let Gathered { header, context, body, flows } = gathered;
            let parts: Vec<_> = flows.chunks(room).map(<[u8]>::to_vec).collect();
            parts.into_iter().map(move |part| {
                let mut builder = RecordBuilder::new(Kind::Flows);
                let flows = builder.push(&part);
                builder.finish(header, &context, &flows_body { flows, ..body })
            })
        });
        records.collect()
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::IntoBytes as _;

    use super::*;

    fn record(pid: u32, interface: u32, local_port: u16) -> Vec<u8> {
        let mut builder = RecordBuilder::new(Kind::Flows);
        let flows = builder.push(flow { local_port, ..flow::default() }.as_bytes());
        let context = task_context { pid, ..task_context::default() };
        builder.finish(
            record_header::default(),
            &context,
            &flows_body { flows, interface, ..flows_body::default() },
        )
    }

    fn gathered(records: &[Vec<u8>]) -> Vec<(u32, u32, usize)> {
        let mut flows = Flows::default();
        for record in records {
            flows.add(&Record::parse(record).unwrap());
        }
        let told = flows.into_records().into_iter().map(|bytes| {
            let record = Record::parse(&bytes).unwrap();
            let body: flows_body = record.body();
            (record.context().pid, body.interface, record.span(body.flows).len() / size_of::<flow>())
        });
        told.collect()
    }

    #[test]
    fn flows_of_a_process_by_an_interface_are_one_record() {
        let records = [record(1, 1, 1), record(2, 1, 2), record(1, 2, 3), record(1, 1, 4)];
        assert_eq!(gathered(&records), [(1, 1, 2), (1, 2, 1), (2, 1, 1)]);
    }

    #[test]
    fn what_does_not_fit_in_one_is_told_by_several() {
        let max = usize::try_from(FLOWS_MAX).unwrap();
        let records = vec![record(1, 1, 1); max + 1];
        assert_eq!(gathered(&records), [(1, 1, max), (1, 1, 1)]);
        assert_eq!(gathered(&[]), []);
    }
}
