//! SYNC for whoever wants a snapshot and no more (`redis-cli --rdb`, `--cluster backup`): the
//! client waits for the next snapshot, gets the file in pieces, and is let go. There is no stream
//! of changes behind it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;

use super::Node;
use crate::base::limits::SYNC_CHUNK_BYTES;
use crate::config::strerror;
use crate::core::ClientId;
use crate::core::client::{Blocked, ClientFlags};
use crate::resp::Error;

/// The clients that asked for a snapshot.
#[derive(Default)]
pub struct Syncs {
    clients: Vec<Sync>,
}

struct Sync {
    client: ClientId,
    stage: Stage,
}

enum Stage {
    /// For a child to be started.
    Waits,
    /// For the child that runs to end.
    Joined,
    /// So many bytes of the file are left to be sent.
    Gets { file: File, left: u64 },
}

impl Syncs {
    /// Whether someone waits for a child to be started.
    pub fn any_waiting(&self) -> bool {
        self.clients.iter().any(|sync| matches!(sync.stage, Stage::Waits))
    }
}

impl Node {
    /// SYNC
    pub(super) fn sync(&mut self, client: ClientId) {
        let Some(client) = self.core.clients.by_id_mut(client) else { return };
        client.blocked = Some(Blocked::Sync);
        let (client, peer) = (client.id, client.peer.clone());
        self.core.stats.full_syncs += 1;
        log::info!("Replica {peer} asks for synchronization");
        // A snapshot under way is as good as a new one as long as nothing has changed since.
        let dirty = self.core.keyspace.dirty;
        let same = self.core.snapshots.child.is_some_and(|child| child.dirty_before == dirty);
        let stage = if same {
            log::info!("Waiting for end of BGSAVE for SYNC");
            Stage::Joined
        } else {
            Stage::Waits
        };
        self.saver.syncs.clients.push(Sync { client, stage });
        self.start_wanted_save();
    }

    /// A child was started for those who waited, or could not be.
    pub(super) fn sync_save_started(&mut self, started: bool) {
        if !started {
            return self.fail_syncs("BGSAVE failed, replication can't continue");
        }
        for sync in &mut self.saver.syncs.clients {
            if matches!(sync.stage, Stage::Waits) {
                sync.stage = Stage::Joined;
            }
        }
    }

    /// Everyone who has got nothing yet is told that there will be nothing.
    fn fail_syncs(&mut self, words: &str) {
        let clients = std::mem::take(&mut self.saver.syncs.clients);
        for sync in clients {
            if matches!(sync.stage, Stage::Gets { .. }) {
                self.saver.syncs.clients.push(sync);
                continue;
            }
            let Some(mut client) = self.core.clients.take_by_id(sync.client) else { continue };
            client.flags |= ClientFlags::CLOSE_AFTER_REPLY;
            let error = Error::err(words);
            crate::dispatch::execute::reply_error(&mut self.core, &mut client, &error);
            let token = client.token;
            self.core.clients.put_back(client);
            self.core.list_for_writing(token);
        }
    }

    /// The child has ended: those who waited for it get its file.
    pub(super) fn serve_snapshot(&mut self, saved: bool, path: &Path) {
        if !self.saver.syncs.clients.iter().any(|sync| matches!(sync.stage, Stage::Joined)) {
            return;
        }
        if !saved {
            log::warn!("SYNC failed. BGSAVE child returned an error");
            return self.fail_syncs("BGSAVE failed, replication can't continue");
        }
        for index in 0..self.saver.syncs.clients.len() {
            if !matches!(self.saver.syncs.clients[index].stage, Stage::Joined) {
                continue;
            }
            match open(path) {
                Ok((file, left)) => {
                    let sync = &mut self.saver.syncs.clients[index];
                    sync.stage = Stage::Gets { file, left };
                    self.core.send_to(sync.client, format!("${left}\r\n").as_bytes());
                }
                Err(error) => {
                    log::warn!("SYNC failed. Can't open DB after BGSAVE: {}", strerror(&error));
                    return self.fail_syncs("BGSAVE failed, replication can't continue");
                }
            }
        }
        self.drop_sync_file(path);
    }

    /// rdb-del-sync-files: a file that only SYNC needed is not kept. Who gets it has it open.
    fn drop_sync_file(&self, path: &Path) {
        let config = &self.core.config;
        if config.rdb_del_sync_files && config.save.is_empty() && !config.appendonly {
            log::info!("Removing the RDB file {} used for synchronization", path.display());
            let _ = fs::remove_file(path);
        }
    }

    /// Once per turn: whoever has taken its last piece gets the next one, or is done.
    pub(super) fn feed_syncs(&mut self) {
        if self.saver.syncs.clients.is_empty() {
            return;
        }
        let mut syncs = std::mem::take(&mut self.saver.syncs.clients);
        syncs.retain_mut(|sync| self.feed(sync));
        self.saver.syncs.clients = syncs;
    }

    /// Whether there is more to do for a client.
    fn feed(&mut self, sync: &mut Sync) -> bool {
        let Some(token) = self.core.clients.token_of(sync.client) else { return false };
        let Some(client) = self.core.clients.get_mut(token) else { return true };
        let Stage::Gets { file, left } = &mut sync.stage else { return true };
        if client.reply.output.pending() > 0 {
            return true;
        }
        if *left == 0 {
            log::info!("Synchronization with replica {} succeeded", client.peer);
            self.close(token);
            return false;
        }
        match read_piece(file, *left) {
            Ok(piece) => {
                *left -= piece.len() as u64;
                client.reply.output.push_shared(piece);
                self.core.list_for_writing(token);
                true
            }
            Err(error) => {
                log::warn!("Read error sending DB to replica: {}", strerror(&error));
                self.close(token);
                false
            }
        }
    }

    /// Whether someone's next piece can be read, so that the loop must not wait.
    pub(super) fn syncs_are_hungry(&self) -> bool {
        self.saver.syncs.clients.iter().any(|sync| {
            matches!(sync.stage, Stage::Gets { .. })
                && self
                    .core
                    .clients
                    .by_id(sync.client)
                    .is_none_or(|client| client.reply.output.pending() == 0)
        })
    }

    /// Those who wait see that this node is alive.
    pub(super) fn keep_syncs_alive(&mut self) {
        for sync in &self.saver.syncs.clients {
            if !matches!(sync.stage, Stage::Gets { .. }) {
                self.core.send_to(sync.client, b"\n");
            }
        }
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

/// The next piece of a file that has `left` bytes.
fn read_piece(file: &mut File, left: u64) -> io::Result<Bytes> {
    let mut piece = Vec::with_capacity(left.min(SYNC_CHUNK_BYTES as u64) as usize);
    file.take(piece.capacity() as u64).read_to_end(&mut piece)?;
    if piece.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(piece.into())
}
