//! When snapshots are made: for SAVE and BGSAVE, at save points, after FLUSHALL, before the end,
//! and for those that wait for one (SYNC). One child at a time; the cron looks after it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::child::{Child, Ended, Report};
use super::signals::Signals;
use super::snapshot_file::{self, Places, SaveError};
use super::tokens::CHILD;
use super::{Node, sync::Syncs};
use crate::base::clock::{self, Stopwatch};
use crate::base::{alloc, crc64};
use crate::core::effects::Shutdown;
use crate::core::{ClientId, Core};
use crate::resp::Error;

/// The child that saves, and those that wait for it.
#[derive(Default)]
pub struct Saver {
    child: Option<Running>,
    /// Clients of SYNC.
    pub(super) syncs: Syncs,
}

struct Running {
    child: Child,
    places: Places,
    /// What it told of a failure.
    failure: Option<SaveError>,
}

impl Node {
    /// Saves here and now; whether that worked.
    pub(super) fn save(&mut self) -> bool {
        self.save_unless(None)
    }

    /// The same, given up once `stop` is set.
    fn save_unless(&mut self, stop: Option<&AtomicBool>) -> bool {
        self.core.snapshots.saves += 1;
        let saved = snapshot_file::save(&self.core, alloc::used_memory(), stop);
        match &saved {
            Ok(()) => log::info!("DB saved on disk"),
            Err((error, places)) => error.log(places),
        }
        self.core.note_saved(saved.is_ok(), clock::unix_us() / 1_000_000);
        saved.is_ok()
    }

    /// SAVE
    pub(super) fn save_for(&mut self, client: ClientId) {
        // Redis has no words for it: the log has.
        let outcome = if self.save() { Ok(()) } else { Err(Error::Custom("ERR".into())) };
        self.answer(Some(client), outcome);
    }

    /// BGSAVE
    pub(super) fn background_save_for(&mut self, client: ClientId) {
        let started = self.start_background_save();
        let Some(mut client) = self.core.clients.take_by_id(client) else { return };
        if started {
            client.reply.simple("Background saving started");
        } else {
            let error = Error::Custom("ERR".into());
            crate::dispatch::execute::reply_error(&mut self.core, &mut client, &error);
        }
        let token = client.token;
        self.core.clients.put_back(client);
        self.core.list_for_writing(token);
    }

    /// Starts the child that saves. There is none yet.
    pub(super) fn start_background_save(&mut self) -> bool {
        self.core.snapshots.saves += 1;
        self.core.snapshots.last_try_s = self.core.now.seconds();
        match self.fork_saver() {
            Ok(running) => {
                log::info!("Background saving started by pid {}", running.child.id());
                self.saver.child = Some(running);
                true
            }
            Err(error) => {
                self.core.snapshots.last_ok = false;
                let words = crate::config::strerror(&error);
                log::warn!("Can't save in background: fork: {words}");
                false
            }
        }
    }

    fn fork_saver(&mut self) -> io::Result<Running> {
        crc64::Digest::prepare();
        let (core, used_memory) = (&self.core, alloc::used_memory());
        let watch = Stopwatch::start();
        let mut child =
            Child::start(|reporter| snapshot_file::save_in_child(core, used_memory, reporter))?;
        let fork_us = watch.elapsed_us();
        child.register(self.poll.registry(), CHILD)?;
        let places = Places::of(&self.core.config, child.id());
        self.core.note_child(fork_us);
        self.core.latency_event("fork", fork_us / 1000);
        Ok(Running { child, places, failure: None })
    }

    /// Hears what the child has to say, and sees whether it has ended.
    pub(super) fn look_after_child(&mut self) {
        let Some(mut running) = self.saver.child.take() else { return };
        let ended = running.child.try_wait();
        // What it said last is there once it has ended.
        running.listen(&mut self.core);
        match ended {
            Some(ended) => self.child_ended(&running, ended),
            None => self.saver.child = Some(running),
        }
    }

    fn child_ended(&mut self, running: &Running, ended: Ended) {
        if let Some(failure) = &running.failure {
            failure.log(&running.places);
        }
        let ok = match ended {
            Ended::Exited(0) => {
                self.note_cow();
                log::info!("Background saving terminated with success");
                Some(true)
            }
            Ended::Exited(_) | Ended::Unknown => {
                log::warn!("Background saving error");
                Some(false)
            }
            Ended::Stopped | Ended::Killed(_) => {
                let number = if let Ended::Killed(signal) = ended { signal } else { libc::SIGUSR1 };
                log::warn!("Background saving terminated by signal {number}");
                running.places.clean();
                if ended == Ended::Stopped { None } else { Some(false) }
            }
        };
        self.core.note_child_ended(ok, clock::unix_us() / 1_000_000);
        self.serve_snapshot(ok == Some(true), &running.places.target);
        self.start_wanted_save();
    }

    fn note_cow(&mut self) {
        let Some(child) = &self.core.snapshots.child else { return };
        let (current, peak) = (child.cow_bytes >> 20, child.cow_peak_bytes >> 20);
        self.core.snapshots.last_cow_bytes = child.cow_bytes;
        log::info!("DB saved on disk");
        log::info!("Fork CoW for RDB: current {current} MB, peak {peak} MB");
    }

    /// Starts a child for what waits for one: clients of SYNC first, then BGSAVE SCHEDULE.
    pub(super) fn start_wanted_save(&mut self) {
        if self.saver.child.is_some() || self.core.is_loading() {
            return;
        }
        if self.saver.syncs.any_waiting() {
            let started = self.start_background_save();
            self.sync_save_started(started);
        } else if self.core.snapshots.schedule_is_due(self.core.now.seconds())
            && self.start_background_save()
        {
            self.core.snapshots.scheduled = false;
        }
    }

    /// Once per run of the cron.
    pub(super) fn saving_cron(&mut self) {
        if self.saver.child.is_some() {
            self.look_after_child();
        } else if let Some(point) = self.core.save_due() {
            log::info!("{} changes in {} seconds. Saving...", point.changes, point.seconds);
            self.start_background_save();
        }
        self.start_wanted_save();
        if self.cron.every(Duration::from_secs(1)) {
            self.keep_syncs_alive();
        }
    }

    /// FLUSHALL: a snapshot under way is of keys that are gone, and the one on disk, too.
    pub(super) fn all_flushed(&mut self) {
        if let Some(running) = &self.saver.child {
            running.child.stop();
        }
        if !self.core.config.save.is_empty() {
            self.save();
        }
    }

    /// SHUTDOWN: the client is told if there will be no end.
    pub(super) fn shutdown_for(&mut self, client: ClientId, how: Shutdown) {
        if !self.shutdown(how) {
            let error = Error::err("Errors trying to SHUTDOWN. Check logs.");
            self.answer(Some(client), Err(error));
        }
    }

    /// Ends the node after this turn, unless its keys are to be saved and cannot be; whether it
    /// will end.
    pub(super) fn shutdown(&mut self, how: Shutdown) -> bool {
        log::info!("User requested shutdown...");
        let ends = self.settle(how);
        if ends {
            self.exit = Some(0);
        }
        ends
    }

    /// Leaves the disk as it has to be when the node ends (Redis: finishShutdown); false if that
    /// does not work and nobody said that it need not.
    pub(super) fn settle(&mut self, how: Shutdown) -> bool {
        if let Some(mut running) = self.saver.child.take() {
            log::warn!("There is a child saving an .rdb. Killing it!");
            running.child.stop();
            running.child.wait();
            running.places.clean();
            self.core.note_child_ended(None, self.core.now.seconds());
        }
        if self.save_at_end(how) {
            return true;
        }
        if how.force {
            log::warn!("Error trying to save the DB. Exit anyway.");
            return true;
        }
        log::warn!("Error trying to save the DB, can't exit.");
        log::warn!("Errors trying to shut down the server. Check the logs for more information.");
        false
    }

    /// Saves if that is to be done at the end; false if it cannot be.
    fn save_at_end(&mut self, how: Shutdown) -> bool {
        // What is half loaded must not replace what it is loaded from.
        let wanted = (how.save || !self.core.config.save.is_empty() && !how.nosave)
            && !self.core.is_loading();
        if !wanted {
            return true;
        }
        log::info!("Saving the final RDB snapshot before exiting.");
        let Some(stop) = self.signals.as_ref().map(Signals::begin_last_save) else {
            return self.save();
        };
        let saved = self.save_unless(Some(&stop));
        if !saved && stop.load(Ordering::Relaxed) {
            log::warn!("You insist... exiting now.");
            std::process::exit(1);
        }
        saved
    }
}

impl Running {
    fn listen(&mut self, core: &mut Core) {
        for report in self.child.reports() {
            match report {
                Report::Progress { keys, cow_bytes } => note_progress(core, keys, cow_bytes),
                Report::Failed { stage, errno } => {
                    self.failure = Some(SaveError::from_report(stage, errno));
                }
            }
        }
    }
}

fn note_progress(core: &mut Core, keys: u64, cow_bytes: u64) {
    let now_s = core.now.seconds();
    if let Some(child) = &mut core.snapshots.child {
        child.keys_written = keys;
        child.cow_bytes = cow_bytes;
        child.cow_peak_bytes = child.cow_peak_bytes.max(cow_bytes);
        child.reported_s = now_s;
    }
}
