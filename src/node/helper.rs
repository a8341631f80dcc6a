//! The one helper thread. It frees what would hold the loop up (huge values, flushed tables); it
//! sees nothing that the loop still uses.

use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use crate::base::alloc;
use crate::keyspace::Garbage;

/// Sends work to the thread; joins it on drop.
pub struct Helper {
    jobs: Option<Sender<Vec<Garbage>>>,
    thread: Option<JoinHandle<()>>,
}

impl Helper {
    /// Starts the thread.
    pub fn start() -> std::io::Result<Self> {
        let (jobs, inbox) = channel::<Vec<Garbage>>();
        let thread = thread::Builder::new().name("helper".into()).spawn(move || {
            let _counted = alloc::register_thread();
            let _stack = super::crash::CrashStack::of_this_thread();
            for garbage in inbox {
                garbage.into_iter().for_each(Garbage::free);
            }
        })?;
        Ok(Helper { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Has `garbage` freed in the background.
    pub fn free(&self, garbage: Vec<Garbage>) {
        if let Some(jobs) = &self.jobs {
            // The thread lives as long as the sender; were it gone, the garbage would be freed
            // here.
            let _ = jobs.send(garbage);
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
