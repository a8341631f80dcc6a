//! Which request runs, for the crash report alone: two addresses, written before and after each
//! request. Nobody else may read them; whatever else needs the running client is handed it.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use super::Client;
use crate::resp::Args;

/// The addresses of the running client and of its request. They are valid from `begin` to `end`,
/// which the node calls around each request; atomic, so that a signal handler may read them, and
/// relaxed, so that they cost as much as any other store.
#[derive(Debug, Default)]
pub struct Running {
    client: AtomicPtr<Client>,
    args: AtomicPtr<Args<'static>>,
}

impl Running {
    /// A request begins. Both must stay where they are until `end`.
    #[inline]
    pub fn begin(&self, client: &Client, args: &Args<'_>) {
        self.client.store(ptr::from_ref(client).cast_mut(), Relaxed);
        self.args.store(ptr::from_ref(args).cast_mut().cast(), Relaxed);
    }

    /// No request runs.
    #[inline]
    pub fn end(&self) {
        self.client.store(ptr::null_mut(), Relaxed);
    }

    /// The running client and its request; the first is null if none runs.
    pub fn addresses(&self) -> (*const Client, *const Args<'static>) {
        (self.client.load(Relaxed), self.args.load(Relaxed))
    }
}
