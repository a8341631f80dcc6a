//! DEBUG DIGEST: one number that two data sets have in common only if they are equal. Redis's
//! algorithm, so that our data can be compared with that of a Redis server: what has an order is
//! mixed in (the hash of hash and element), what has none is added (exclusive or of hashes).

use sha1::{Digest as _, Sha1};

use crate::base::numbers::write_shortest;
use crate::core::Core;
use crate::dispatch::Context;
use crate::resp::{Error, Reply};
use crate::value::list::Direction;
use crate::value::stream::Id;
use crate::value::{Record, Stream, Type, ValueRef};

/// A digest as it grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Digest([u8; 20]);

impl Digest {
    /// Adds something that has no order.
    fn add(&mut self, bytes: &[u8]) {
        let hash = Sha1::digest(bytes);
        self.0.iter_mut().zip(hash).for_each(|(mine, theirs)| *mine ^= theirs);
    }

    /// Adds something behind all that was added before.
    fn mix(&mut self, bytes: &[u8]) {
        self.add(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    /// A value with its type, and whether it expires.
    fn mix_value(&mut self, record: &Record) {
        self.mix(&type_number(record.kind()).to_be_bytes());
        match record.value() {
            ValueRef::Int(n) => self.mix(itoa::Buffer::new().format(n).as_bytes()),
            ValueRef::String(bytes) => self.mix(bytes),
            ValueRef::Set(set) => {
                let mut digits = itoa::Buffer::new();
                set.iter().for_each(|member| self.add(member.bytes(&mut digits)));
            }
            ValueRef::Hash(hash) => {
                let (mut name, mut text) = (itoa::Buffer::new(), itoa::Buffer::new());
                for (field, value, expiry) in hash.entries() {
                    let mut one = Digest::default();
                    one.mix(field.bytes(&mut name));
                    one.mix(value.bytes(&mut text));
                    if expiry.is_some() {
                        one.add(b"!!hexpire!!");
                    }
                    self.add(&one.0);
                }
            }
            ValueRef::Zset(zset) => {
                let (mut name, mut score_text) = (itoa::Buffer::new(), Vec::new());
                for (member, score) in zset.iter() {
                    score_text.clear();
                    write_shortest(&mut score_text, score);
                    let mut one = Digest::default();
                    one.mix(member.bytes(&mut name));
                    one.mix(&score_text);
                    self.add(&one.0);
                }
            }
            ValueRef::List(list) => {
                let mut digits = itoa::Buffer::new();
                list.walk(0, Direction::Forward, |element| {
                    self.mix(element.bytes(&mut digits));
                    false
                });
            }
            ValueRef::Stream(stream) => self.mix_stream(stream),
        }
        if record.has_expire() {
            self.add(b"!!expire!!");
        }
    }

    fn mix_stream(&mut self, stream: &Stream) {
        let (mut name, mut text) = (itoa::Buffer::new(), itoa::Buffer::new());
        for entry in stream.log().range(Id::MIN, Id::MAX) {
            self.mix(&entry.id.joined_by(b'.'));
            for (field, value) in entry.fields() {
                self.mix(field.bytes(&mut name));
                self.mix(value.bytes(&mut text));
            }
        }
    }

    fn write(&self, reply: &mut Reply) {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        reply.simple(&digits);
    }
}

/// Redis's number of a type.
fn type_number(kind: Type) -> u32 {
    match kind {
        Type::String => 0,
        Type::List => 1,
        Type::Set => 2,
        Type::Zset => 3,
        Type::Hash => 4,
        Type::Stream => 6,
    }
}

/// DIGEST
pub(super) fn digest(ctx: &mut Context<'_>) -> Result<(), Error> {
    of_all(ctx.core).write(&mut ctx.client.reply);
    Ok(())
}

fn of_all(core: &Core) -> Digest {
    let mut all = Digest::default();
    let keyspace = &core.keyspace;
    for db in (0..keyspace.databases()).filter(|&db| keyspace.dbsize(db) > 0) {
        all.mix(&(db as u32).to_be_bytes());
        for record in keyspace.iter(db) {
            let mut one = Digest::default();
            one.mix(record.key());
            one.mix_value(record);
            all.add(&one.0);
        }
    }
    all
}

/// DIGEST-VALUE [key ...]
pub(super) fn digest_value(ctx: &mut Context<'_>) -> Result<(), Error> {
    let keys = ctx.args.iter_from(2);
    ctx.client.reply.array(keys.len());
    for name in keys {
        let mut one = Digest::default();
        let key = ctx.core.keyspace.key(name);
        // Keys whose time is over count as long as they are there.
        if let Some(record) = ctx.core.keyspace.peek_stored(ctx.client.db, &key) {
            one.mix_value(record);
        }
        one.write(&mut ctx.client.reply);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::core::Now;
    use crate::keyspace::Expiry;
    use crate::value::NewValue;

    fn hex(digest: Digest) -> String {
        digest.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn set(core: &mut Core, db: usize, name: &[u8], value: &[u8], expiry: Expiry) {
        let key = core.keyspace.key(name);
        core.keyspace.set(db, &key, NewValue::from_bytes(value), expiry);
    }

    /// Compared with what Redis 7.2 says of the same data.
    #[test]
    fn digests_are_those_of_redis() {
        let mut core = Core::new(Config::default(), Vec::new(), Now { unix_us: 1 });
        assert_eq!(hex(of_all(&core)), "0".repeat(40));
        set(&mut core, 0, b"foo", b"bar", Expiry::None);
        set(&mut core, 0, b"n", b"123", Expiry::None);
        assert_eq!(hex(of_all(&core)), "2ccff0254b97d2824823e394089c36dc9612627d");
        set(&mut core, 0, b"foo", b"bar", Expiry::At(100_000_000));
        assert_eq!(hex(of_all(&core)), "7568d5279aa6c244d229b00c2026ef70e142ae1c");
        set(&mut core, 3, b"x", b"y", Expiry::None);
        assert_eq!(hex(of_all(&core)), "5887db6ffff0cdba57564a842d6ad534189d74af");
    }
}
