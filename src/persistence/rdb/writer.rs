//! Writes RDB files: of version 11, or of 12 if a field of any hash expires. The node calls it, in
//! a child or not; it reads the keyspace and writes into whatever it is given, and touches nothing
//! else: no clock, no log, no lock.

use std::io::{self, Write};

use super::{VERSION, VERSION_FIELD_EXPIRY, WriteOptions, length, library, opcode, string, value};
use crate::base::crc64::Digest;
use crate::base::limits::RDB_PIECE_BYTES;
use crate::keyspace::Keyspace;
use crate::value::Record;

/// Which accesses to keys are worth writing: those that maxmemory-policy looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accesses {
    /// None.
    #[default]
    Unsaid,
    /// When they were used last.
    Idle,
    /// How often they were used.
    Frequency,
}

/// What a file says of itself, and how it is written.
#[derive(Clone, Debug)]
pub struct FileOptions<'a> {
    /// Long strings are compressed (rdbcompression).
    pub compress: bool,
    /// The file ends with its checksum (rdbchecksum), and with 0 otherwise.
    pub checksum: bool,
    /// Which accesses are written.
    pub accesses: Accesses,
    /// The version of Redis that this node speaks.
    pub redis_version: &'a str,
    /// When, in seconds since the Unix epoch.
    pub created_s: u64,
    /// Memory in use.
    pub used_memory: usize,
    /// The texts of all function libraries.
    pub functions: Vec<Vec<u8>>,
}

/// Writes the file of all keys. `each_key` is called after every key; if it fails, so does this.
pub fn write_file(
    out: &mut impl Write,
    keyspace: &Keyspace,
    options: &FileOptions<'_>,
    each_key: &mut impl FnMut() -> io::Result<()>,
) -> io::Result<()> {
    let mut file = FileWriter {
        out,
        piece: Vec::with_capacity(2 * RDB_PIECE_BYTES),
        digest: options.checksum.then(Digest::new),
        strings: WriteOptions { compress: options.compress },
    };
    let newer = keyspace.has_expiring_fields();
    file.facts(options, if newer { VERSION_FIELD_EXPIRY } else { VERSION });
    for text in &options.functions {
        library::write(&mut file.piece, text, file.strings);
    }
    for db in 0..keyspace.databases() {
        file.database(keyspace, db, options.accesses, each_key)?;
    }
    file.end()
}

struct FileWriter<'a, W> {
    out: &'a mut W,
    /// What is to be written next.
    piece: Vec<u8>,
    digest: Option<Digest>,
    strings: WriteOptions,
}

impl<W: Write> FileWriter<'_, W> {
    fn facts(&mut self, options: &FileOptions<'_>, version: u16) {
        self.piece.extend_from_slice(opcode::SIGNATURE);
        self.piece.extend_from_slice(format!("{version:04}").as_bytes());
        self.aux("redis-ver", options.redis_version.as_bytes());
        self.aux_number("redis-bits", usize::BITS.into());
        self.aux_number("ctime", options.created_s);
        self.aux_number("used-mem", options.used_memory as u64);
        self.aux_number("aof-base", 0);
    }

    fn aux(&mut self, name: &str, value: &[u8]) {
        self.piece.push(opcode::AUX);
        string::write(&mut self.piece, name.as_bytes(), self.strings);
        string::write(&mut self.piece, value, self.strings);
    }

    fn aux_number(&mut self, name: &str, number: u64) {
        self.aux(name, itoa::Buffer::new().format(number).as_bytes());
    }

    fn database(
        &mut self,
        keyspace: &Keyspace,
        db: usize,
        accesses: Accesses,
        each_key: &mut impl FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        let keys = keyspace.dbsize(db);
        if keys == 0 {
            return Ok(());
        }
        self.piece.push(opcode::SELECT_DB);
        length::write(&mut self.piece, db as u64);
        self.piece.push(opcode::RESIZE_DB);
        length::write(&mut self.piece, keys as u64);
        length::write(&mut self.piece, keyspace.expires_len(db) as u64);
        for record in keyspace.iter(db) {
            match accesses {
                Accesses::Unsaid => self.record(record, |_| {}),
                Accesses::Idle => {
                    let seconds = keyspace.idle_ms(record) / 1000;
                    self.record(record, |piece| {
                        piece.push(opcode::IDLE);
                        length::write(piece, seconds);
                    });
                }
                Accesses::Frequency => {
                    let frequency = keyspace.frequency(record);
                    self.record(record, |piece| {
                        piece.extend_from_slice(&[opcode::FREQ, frequency]);
                    });
                }
            }
            if self.piece.len() >= RDB_PIECE_BYTES {
                self.ship()?;
            }
            each_key()?;
        }
        Ok(())
    }

    fn record(&mut self, record: &Record, write_accesses: impl FnOnce(&mut Vec<u8>)) {
        let piece = &mut self.piece;
        if let Some(at_ms) = record.expire_at() {
            piece.push(opcode::EXPIRE_MS);
            piece.extend_from_slice(&at_ms.to_le_bytes());
        }
        write_accesses(piece);
        let value = record.value();
        piece.push(value::type_byte(value));
        string::write(piece, record.key(), self.strings);
        value::write_body(piece, value, self.strings);
    }

    fn ship(&mut self) -> io::Result<()> {
        if let Some(digest) = &mut self.digest {
            digest.update(&self.piece);
        }
        self.out.write_all(&self.piece)?;
        self.piece.clear();
        // One huge value does not keep its memory for all that follow.
        self.piece.shrink_to(16 * RDB_PIECE_BYTES);
        Ok(())
    }

    fn end(mut self) -> io::Result<()> {
        self.piece.push(opcode::EOF);
        self.ship()?;
        let checksum = self.digest.as_ref().map_or(0, Digest::checksum);
        self.out.write_all(&checksum.to_le_bytes())?;
        self.out.flush()
    }
}
