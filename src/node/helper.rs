//! The one helper thread. It frees what would hold the loop up (huge values, flushed tables), and
//! waits for the disk; it sees nothing that the loop still uses.

use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use super::nodes_file::Unsynced;
use crate::base::alloc;
use crate::keyspace::Garbage;

enum Job {
    Free(Vec<Garbage>),
    Sync(Unsynced),
}

/// Sends work to the thread; joins it on drop.
pub struct Helper {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Helper {
    /// Starts the thread.
    pub fn start() -> std::io::Result<Self> {
        let (jobs, inbox) = channel::<Job>();
        let thread = thread::Builder::new().name("helper".into()).spawn(move || {
            let _counted = alloc::register_thread();
            let _stack = super::crash::CrashStack::of_this_thread();
            for job in inbox {
                match job {
                    Job::Free(garbage) => garbage.into_iter().for_each(Garbage::free),
                    Job::Sync(file) => file.sync(),
                }
            }
        })?;
        Ok(Helper { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Has `garbage` freed in the background.
    pub fn free(&self, garbage: Vec<Garbage>) {
        self.send(Job::Free(garbage));
    }

    /// Has a file written to the disk in the background.
    pub fn sync(&self, file: Unsynced) {
        self.send(Job::Sync(file));
    }

    fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The thread lives as long as the sender; were it gone, garbage would be freed here.
            let _ = jobs.send(job);
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
