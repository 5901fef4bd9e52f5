//! Signals to processes, as actions of rules.
//!
//! Who asks is the agent, which reads what strangers write. So all that must hold is looked at here: that the settings of
//! this process allow it, that it is the process that was meant and none that must not be stopped, and that it is not the
//! whole machine.

mod target;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use proto::v1::KillReply;
use proto::v1::KillRequest;
use proto::v1::kill_reply::State;
use proto::wire::layout::START_TICK_NS;
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::process::Signal;

use self::target::Target;
use self::target::facts;

/// Signals that may be sent within a period; a container with a thousand processes can be killed at once.
const SIGNALS_MAX: u32 = 2_000;
const PERIOD: Duration = Duration::from_secs(60);
/// `PF_KTHREAD`: a thread of the kernel.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// Sends signals, as far as that is allowed.
#[derive(Debug)]
pub(crate) struct Killer {
    enabled: bool,
    /// Programs that are left alone.
    spared: Vec<PathBuf>,
    /// The beginning of the period, and what was sent since.
    sent: Mutex<(Instant, u32)>,
    /// How a process is held on to.
    open: fn(Pid) -> rustix::io::Result<Target>,
}

/// Why not.
#[derive(Debug, PartialEq, Eq)]
enum No {
    Gone,
    Refused(String),
}

impl Killer {
    pub(crate) fn new(enabled: bool, spared: &[String]) -> Self {
        let spared = spared.iter().map(PathBuf::from).collect();
        Self { enabled, spared, sent: Mutex::new((Instant::now(), 0)), open: Target::open }
    }

    /// Sends the signal, or says why not.
    pub(crate) fn kill(&self, request: &KillRequest) -> KillReply {
        let (state, reason) = match self.try_kill(request, Instant::now()) {
            Ok(()) => (State::Sent, String::new()),
            Err(No::Gone) => (State::Gone, String::new()),
            Err(No::Refused(reason)) => (State::Refused, reason),
        };
        tracing::info!(
            pid = request.pid,
            signal = request.signal,
            reason,
            "signal for a rule: {}",
            state.as_str_name()
        );
        KillReply { state: state.into(), reason }
    }

    fn try_kill(&self, request: &KillRequest, now: Instant) -> Result<(), No> {
        let refused = |reason: &str| Err(No::Refused(reason.to_owned()));
        if !self.enabled {
            return refused("runtime_security_config.enforcement.enabled is off for system-probe");
        }
        let named = i32::try_from(request.signal).ok().and_then(Signal::from_named_raw);
        let Some(signal) = named else { return refused("no such signal") };
        let pid = i32::try_from(request.pid).ok().and_then(Pid::from_raw);
        let Some(pid) = pid.filter(|pid| pid.as_raw_nonzero().get() > 1) else {
            return refused("the first process is never killed");
        };
        if request.pid == std::process::id() {
            return refused("it is system-probe itself");
        }
        // From here on it is this process, whoever gets its number.
        let process = (self.open)(pid).map_err(no)?;
        let stat = process.stat().ok_or(No::Gone)?;
        let (flags, start_ticks) =
            facts(&stat).ok_or_else(|| No::Refused("its stat is strange".to_owned()))?;
        if start_ticks != request.start_time_ns / u64::from(START_TICK_NS) {
            return Err(No::Gone);
        }
        if flags & KERNEL_THREAD != 0 {
            return refused("it is a thread of the kernel");
        }
        if self.is_spared(&process) {
            return refused("its program is one of runtime_security_config.enforcement.exclude_binaries");
        }
        if !self.take(now) {
            return refused("too many signals in the last minute");
        }
        process.signal(signal).map_err(no)
    }

    /// One that cannot be looked at is not spared: names of programs are under control of whoever started them anyway.
    fn is_spared(&self, process: &Target) -> bool {
        !self.spared.is_empty() && process.program().is_some_and(|program| self.spared.contains(&program))
    }

    /// Whether one more may be sent.
    fn take(&self, now: Instant) -> bool {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(sent.0) >= PERIOD {
            *sent = (now, 0);
        }
        sent.1 = sent.1.saturating_add(1);
        sent.1 <= SIGNALS_MAX
    }
}

fn no(error: Errno) -> No {
    match error {
        Errno::SRCH | Errno::NOENT => No::Gone,
        error => No::Refused(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Child;
    use std::process::Command;

    use super::*;

    /// A process of this test, which waits; it ends with the value.
    struct Waiting(Child);

    impl Waiting {
        fn start() -> Self {
            Self(Command::new("/bin/sleep").arg("1000").spawn().unwrap())
        }

        fn request(&self, signal: Signal) -> KillRequest {
            let stat = std::fs::read(format!("/proc/{}/stat", self.0.id())).unwrap();
            let start_time_ns = facts(&stat).unwrap().1 * u64::from(START_TICK_NS) + 1_234;
            KillRequest { pid: self.0.id(), start_time_ns, signal: u32::try_from(signal.as_raw()).unwrap() }
        }

        fn lives(&mut self) -> bool {
            self.0.try_wait().unwrap().is_none()
        }
    }

    impl Drop for Waiting {
        fn drop(&mut self) {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }

    fn reason(reply: &KillReply) -> (State, &str) {
        (reply.state(), &reply.reason)
    }

    /// As this kernel can, and as kernels before 5.3 can.
    fn both(spared: &[String]) -> [Killer; 2] {
        let old = Killer { open: Target::by_directory, ..Killer::new(true, spared) };
        [Killer::new(true, spared), old]
    }

    #[test]
    fn the_process_that_is_meant_gets_the_signal() {
        let [new, old] = both(&["/nonexistent".to_owned()]);
        let cases = [(&new, Signal::TERM), (&new, Signal::KILL), (&old, Signal::TERM), (&old, Signal::KILL)];
        for (killer, signal) in cases {
            let mut waiting = Waiting::start();
            let request = waiting.request(signal);
            assert_eq!(reason(&killer.kill(&request)), (State::Sent, ""));
            assert_eq!(waiting.0.wait().unwrap().signal(), Some(signal.as_raw()));
            assert_eq!(reason(&killer.kill(&request)), (State::Gone, ""), "it was waited for");
        }
    }

    #[test]
    fn another_process_with_its_number_is_left_alone() {
        let mut waiting = Waiting::start();
        let mut request = waiting.request(Signal::KILL);
        request.start_time_ns -= u64::from(START_TICK_NS);
        for killer in both(&[]) {
            assert_eq!(reason(&killer.kill(&request)), (State::Gone, ""));
            assert!(waiting.lives());
        }
    }

    #[test]
    fn what_is_not_allowed_is_refused() {
        let mut waiting = Waiting::start();
        let request = waiting.request(Signal::KILL);
        let program = std::fs::read_link(format!("/proc/{}/exe", request.pid)).unwrap();
        let [spared, spared_by_old] = both(&[program.display().to_string()]);
        let (on, off) = (Killer::new(true, &[]), Killer::new(false, &[]));
        for (killer, request, why) in [
            (&off, request, "enforcement.enabled is off"),
            (&spared, request, "exclude_binaries"),
            (&spared_by_old, request, "exclude_binaries"),
            (&on, KillRequest { signal: 0, ..request }, "no such signal"),
            (&on, KillRequest { signal: u32::MAX, ..request }, "no such signal"),
            (&on, KillRequest { pid: 1, ..request }, "the first process"),
            (&on, KillRequest { pid: 0, ..request }, "the first process"),
            (&on, KillRequest { pid: u32::MAX, ..request }, "the first process"),
            (&on, KillRequest { pid: std::process::id(), ..request }, "itself"),
        ] {
            let reply = killer.kill(&request);
            assert_eq!(reply.state(), State::Refused, "{why}");
            assert!(reply.reason.contains(why), "{why}: {reply:?}");
        }
        assert!(waiting.lives());
    }

    #[test]
    fn no_more_than_so_many_are_sent_in_a_while() {
        let killer = Killer::new(true, &[]);
        let now = Instant::now();
        assert_eq!((0..SIGNALS_MAX + 5).filter(|_| killer.take(now)).count(), SIGNALS_MAX as usize);
        assert!(killer.take(now + PERIOD));
    }
}
