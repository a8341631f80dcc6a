//! Child processes that share this process's memory as it is at their start, and write it down.
//! The only place that forks. What the child does is handed in; how it gets on comes back through a
//! pipe. Called by `saving` alone.
//!
//! Other threads may run at the time of the fork: the helper, or all those of a program that embeds
//! nodes. They do not exist in the child, and whatever lock they held there stays locked for ever.
//! So what runs in the child must take no lock but the allocator's, which registers handlers that
//! make it usable again (jemalloc and the C library both do): no log, no standard streams, no
//! thread, no lazily made value that another thread may be making. It tells of failures by number,
//! and the parent finds the words.

#![allow(unsafe_code)]

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use mio::unix::pipe::{self, Receiver, Sender};
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal};
use nix::sys::signal::{kill, sigaction, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

/// Bytes of a report. Less than PIPE_BUF, so that a report is written whole or not at all.
const REPORT_BYTES: usize = 24;
/// The signal that ends a child without anything being wrong (Redis: killRDBChild).
const STOP: Signal = Signal::SIGUSR1;

/// What a child tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// How far it is.
    Progress {
        /// Keys written.
        keys: u64,
        /// Bytes of memory that it does not share with its parent.
        cow_bytes: u64,
    },
    /// What went wrong.
    Failed {
        /// What it was doing, a number whose meaning is its task's.
        stage: u64,
        /// The system's error, 0 for none.
        errno: u64,
    },
}

impl Report {
    fn encode(self) -> [u8; REPORT_BYTES] {
        let words = match self {
            Report::Progress { keys, cow_bytes } => [0, keys, cow_bytes],
            Report::Failed { stage, errno } => [1, stage, errno],
        };
        let mut bytes = [0; REPORT_BYTES];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8; REPORT_BYTES]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        let [kind, a, b] = [0, 1, 2].map(|index| u64::from_le_bytes(words[index]));
        match kind {
            0 => Report::Progress { keys: a, cow_bytes: b },
            _ => Report::Failed { stage: a, errno: b },
        }
    }
}

/// The child's end of the pipe.
pub struct Reporter {
    pipe: Sender,
}

impl Reporter {
    /// Tells the parent. An error says that there is no parent any more; a parent that is slow to
    /// read misses reports instead.
    pub fn tell(&mut self, report: Report) -> io::Result<()> {
        match self.pipe.write(&report.encode()) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Exited(i32),
    /// By `stop`.
    Stopped,
    /// By this signal.
    Killed(i32),
    /// Somebody else has waited for it.
    Unknown,
}

/// A running child. Dropping it stops it and waits for its end.
pub struct Child {
    pid: Pid,
    pipe: Receiver,
    /// A report of which the end is not there yet.
    unread: Vec<u8>,
    ended: bool,
}

impl Child {
    /// Starts a child that runs `task` and exits with the code that it returns.
    pub fn start(task: impl FnOnce(&mut Reporter) -> i32) -> io::Result<Child> {
        let (sender, receiver) = pipe::new()?;
        // No handler of this process may run in the child before the child has its own.
        let before = block_signals()?;
        // SAFETY: of this process's threads only this one goes on in the child, which runs
        // `be_child` and never returns. That does what the rules at the top of this file allow, so
        // it meets no lock of a thread that is gone; memory is a copy, consistent as far as this
        // thread owns it or borrows it, which is all that `task` can reach.
        let forked = unsafe { fork() };
        match forked {
            Ok(ForkResult::Child) => be_child(sender, &before, task),
            Ok(ForkResult::Parent { child }) => {
                restore_signals(&before);
                Ok(Child { pid: child, pipe: receiver, unread: Vec::new(), ended: false })
            }
            Err(errno) => {
                restore_signals(&before);
                Err(errno.into())
            }
        }
    }

    /// Its process id.
    pub fn id(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Has the loop wake up when it reports or ends.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.pipe, token, Interest::READABLE)
    }

    /// What it has told since this was asked last.
    pub fn reports(&mut self) -> Vec<Report> {
        let mut buffer = [0; 64 * REPORT_BYTES];
        loop {
            match self.pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let (whole, rest) = self.unread.as_chunks::<REPORT_BYTES>();
        let (reports, rest) = (whole.iter().map(Report::decode).collect(), rest.to_vec());
        self.unread = rest;
        reports
    }

    /// How it ended, if it has.
    pub fn try_wait(&mut self) -> Option<Ended> {
        self.wait_with(Some(WaitPidFlag::WNOHANG))
    }

    /// Tells it to end.
    pub fn stop(&self) {
        if !self.ended {
            // It may be gone already.
            let _ = kill(self.pid, STOP);
        }
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Ended {
        self.wait_with(None).unwrap_or(Ended::Unknown)
    }

    fn wait_with(&mut self, flags: Option<WaitPidFlag>) -> Option<Ended> {
        let ended = loop {
            match waitpid(self.pid, flags) {
                Ok(WaitStatus::Exited(_, code)) => break Ended::Exited(code),
                Ok(WaitStatus::Signaled(_, STOP, _)) => break Ended::Stopped,
                Ok(WaitStatus::Signaled(_, signal, _)) => break Ended::Killed(signal as i32),
                Ok(WaitStatus::StillAlive) => return None,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => break Ended::Unknown,
            }
        };
        self.ended = true;
        Some(ended)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.ended {
            self.stop();
            self.wait();
        }
    }
}

fn block_signals() -> io::Result<SigSet> {
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
    Ok(before)
}

fn restore_signals(before: &SigSet) {
    // Only a wrong argument can make this fail.
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(before), None);
}

/// The whole life of the child.
fn be_child(sender: Sender, signals: &SigSet, task: impl FnOnce(&mut Reporter) -> i32) -> ! {
    close_all_but(sender.as_raw_fd());
    set_up_signals();
    restore_signals(signals);
    let mut reporter = Reporter { pipe: sender };
    // Whatever it was that panicked, the parent's code must not go on in here.
    let code = catch_unwind(AssertUnwindSafe(|| task(&mut reporter))).unwrap_or(1);
    // SAFETY: `_exit` ends the process at once. Nothing that the parent registered to run at exit,
    // and no destructor, may run here.
    unsafe { libc::_exit(code) }
}

/// Signals that end the node do not end the child, which the node stops itself. Handlers of the
/// parent would write into its pipes.
fn set_up_signals() {
    let action = |handler| SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    let (ignore, default) = (action(SigHandler::SigIgn), action(SigHandler::SigDfl));
    for (signal, action) in
        [(Signal::SIGINT, &ignore), (Signal::SIGTERM, &ignore), (STOP, &default)]
    {
        // SAFETY: neither action runs code of ours; the old ones are not needed any more.
        let _ = unsafe { sigaction(signal, action) };
    }
}

/// Closes all descriptors but the standard ones and this: the child would keep connections open
/// that its parent closes, listeners that a successor needs, and the lock of nodes.conf.
fn close_all_but(kept: RawFd) {
    let (kept, last) = (kept as libc::c_uint, libc::c_uint::MAX);
    close_range(3, kept - 1);
    close_range(kept + 1, last);
}

fn close_range(first: libc::c_uint, last: libc::c_uint) {
    if first > last {
        return;
    }
    // SAFETY: this closes descriptors, whatever they are. Owners of them live in this process's
    // copy of the memory, but only `task` runs any more, which has none of them; and the process
    // ends without running destructors.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if result != 0 {
        // A kernel that does not know the call yet. Descriptors are numbered from the lowest up.
        for fd in first..=last.min(DESCRIPTORS_MAX) {
            // SAFETY: as above.
            unsafe { libc::close(fd as RawFd) };
        }
    }
}

/// Where to stop looking for descriptors one by one.
const DESCRIPTORS_MAX: libc::c_uint = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::base::clock;

    #[test]
    fn a_child_reports_and_exits() {
        let text = vec![b'x'; 1000];
        let mut child = Child::start(|reporter| {
            let keys = text.len() as u64;
            reporter.tell(Report::Progress { keys, cow_bytes: 7 }).unwrap();
            reporter.tell(Report::Failed { stage: 2, errno: 28 }).unwrap();
            3
        })
        .unwrap();
        assert_eq!(child.wait(), Ended::Exited(3));
        let told =
            [Report::Progress { keys: 1000, cow_bytes: 7 }, Report::Failed { stage: 2, errno: 28 }];
        assert_eq!(child.reports(), told);
        assert_eq!(child.reports(), []);
    }

    #[test]
    fn a_child_that_panics_or_is_stopped_has_failed() {
        // A quiet panic: the hook that prints takes the lock of the standard streams.
        let mut child = Child::start(|_| std::panic::resume_unwind(Box::new(()))).unwrap();
        assert_eq!(child.wait(), Ended::Exited(1));
        let sleep = |_: &mut Reporter| {
            clock::sleep(Duration::from_secs(60));
            0
        };
        let mut child = Child::start(sleep).unwrap();
        assert_eq!(child.try_wait(), None);
        child.stop();
        assert_eq!(child.wait(), Ended::Stopped);
        let mut child = Child::start(sleep).unwrap();
        kill(child.pid, Signal::SIGTERM).unwrap();
        kill(child.pid, Signal::SIGKILL).unwrap();
        assert_eq!(child.wait(), Ended::Killed(libc::SIGKILL));
        // Dropping stops it, too.
        let child = Child::start(sleep).unwrap();
        let pid = child.pid;
        drop(child);
        assert_eq!(kill(pid, None), Err(Errno::ESRCH));
    }

    /// What the parent has open the child has not.
    #[test]
    fn descriptors_are_closed() {
        let (mut theirs, ours) = pipe::new().map(|(s, r)| (r, s)).unwrap();
        let mut child = Child::start(|_| {
            clock::sleep(Duration::from_secs(60));
            0
        })
        .unwrap();
        drop(ours);
        let mut byte = [0];
        let closed = loop {
            match theirs.read(&mut byte) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if child.try_wait().is_some() {
                        break false;
                    }
                    std::thread::yield_now();
                }
                other => break matches!(other, Ok(0)),
            }
        };
        assert!(closed);
    }

    /// Many threads allocate while others fork: nobody gets stuck.
    #[test]
    fn forks_amid_threads() {
        std::thread::scope(|scope| {
            for seed in 0..4usize {
                scope.spawn(move || {
                    for round in 0..25 {
                        let noise = vec![0u8; 1000 * (seed + round + 1)];
                        let mut child = Child::start(|_| {
                            let copies: Vec<Vec<u8>> = (0..100).map(|_| noise.clone()).collect();
                            i32::from(copies.iter().any(|copy| copy.len() != noise.len()))
                        })
                        .unwrap();
                        assert_eq!(child.wait(), Ended::Exited(0));
                    }
                });
            }
        });
    }
}
