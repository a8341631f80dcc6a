//! What a running script needs of the node, and how it is lent it. The host is borrowed for exactly
//! as long as a script runs; functions that scripts call find it here. Nothing may keep it.

use crate::resp::Args;

/// What becomes of a script whose instructions were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// It runs on.
    Continue,
    /// It ends with this error.
    Kill(&'static str),
}

/// Why a command did not run: its line, with its code if it begins with `-`.
pub type Refusal = String;

/// The node, as a script sees it.
pub trait Host {
    /// Runs a command, and gives the encoded reply.
    fn call(&mut self, args: Args<'_>) -> Result<&[u8], Refusal>;

    /// Whether the client may run a command; `None`: there is no such command.
    fn may_run(&self, args: Args<'_>) -> Option<bool>;

    /// Chooses the protocol of replies to this script.
    fn set_resp3(&mut self, resp3: bool);

    /// Called every so many instructions.
    fn tick(&mut self) -> Tick;
}

scoped_tls_hkt::scoped_thread_local!(static mut HOST: for<'a> &'a mut (dyn Host + 'a));

/// Lends a host to the scripts that `run` runs.
pub(super) fn lend<R>(host: &mut dyn Host, run: impl FnOnce() -> R) -> R {
    HOST.set(host, run)
}

/// The host of the running script. None while no script runs, and while the host itself is at work:
/// a finalizer of the garbage collector could get here then.
pub(super) fn with_host<R>(ask: impl FnOnce(&mut dyn Host) -> R) -> Option<R> {
    HOST.is_set().then(|| HOST.with(|host| ask(host)))
}
