//! Files: those that Redis wrote are read, ours are read back, older versions and damaged ones are
//! told apart.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};

use proptest::prelude::*;

use super::opcode;
use super::reader::{Checksum, Damage, Item, Reader};
use super::writer::{Accesses, FileOptions, write_file};
use super::{Corrupt, ReadLimits, VERSION_MAX};
use crate::base::crc64;
use crate::base::text::from_hex;
use crate::keyspace::{AccessMode, Keyspace};
use crate::value::{NewValue, Record};

/// The same keys as Redis 7.2.6 and 7.0 saved them: with a function library; under an LRU policy
/// without checksum; under an LFU policy without compression.
const PLAIN: &[u8] = include_bytes!("../../../tests/data/rdb/strings-7.2.rdb");
const LRU: &[u8] = include_bytes!("../../../tests/data/rdb/strings-7.2-lru.rdb");
const LFU: &[u8] = include_bytes!("../../../tests/data/rdb/strings-7.2-lfu.rdb");
const OLDER: &[u8] = include_bytes!("../../../tests/data/rdb/strings-7.0.rdb");

/// Bytes of a payload behind the value.
const FOOTER_BYTES: usize = 10;

/// What lines of payloads of real servers say: their columns, of which the last is the payload in
/// hex, and the value in it, with its type.
pub(super) fn vectors(lines: &'static str) -> impl Iterator<Item = (Vec<&'static str>, Vec<u8>)> {
    lines.lines().map(|line| {
        let columns: Vec<_> = line.split('\t').collect();
        let mut value = from_hex(columns[columns.len() - 1]);
        value.truncate(value.len() - FOOTER_BYTES);
        (columns, value)
    })
}

type Keys = BTreeMap<(u64, Vec<u8>), (Vec<u8>, Option<i64>)>;

/// All that a file says.
#[derive(Debug, Default)]
struct Contents {
    keys: Keys,
    facts: Vec<(Vec<u8>, Vec<u8>)>,
    functions: Vec<Vec<u8>>,
    hinted: Vec<u64>,
    empty: Vec<Vec<u8>>,
    idle: usize,
    frequencies: Vec<u8>,
    checksum: Option<Checksum>,
}

fn bytes_of(value: NewValue<'_>) -> Vec<u8> {
    let record = Record::new(b"", value, None);
    let mut digits = itoa::Buffer::new();
    record.value().string(&mut digits).expect("a string").to_vec()
}

fn read(file: impl Read, checks: bool) -> Result<Contents, Damage> {
    let mut reader = Reader::new(file, checks, ReadLimits::DEFAULT)?;
    let mut contents = Contents::default();
    let mut db = 0;
    loop {
        match reader.next_item()? {
            Item::Aux { name, value } => contents.facts.push((name.to_vec(), value.to_vec())),
            Item::Function(library) => contents.functions.push(library.to_vec()),
            Item::Database(number) => db = number,
            Item::Hint { keys, .. } => contents.hinted.push(keys),
            Item::EmptyKey(key) => contents.empty.push(key.to_vec()),
            Item::ModuleAux { .. } | Item::ModuleKey(_) => panic!("modules are refused"),
            Item::Key(entry) => {
                contents.idle += usize::from(entry.idle_seconds.is_some());
                contents.frequencies.extend(entry.frequency);
                let held = (bytes_of(entry.value), entry.expire_at);
                contents.keys.insert((db, entry.key.to_vec()), held);
            }
            Item::End(checksum) => {
                contents.checksum = Some(checksum);
                return Ok(contents);
            }
        }
    }
}

fn expected() -> Keys {
    let long = b"abcdefgh".repeat(200);
    let long_key = b"key".repeat(40);
    let rows: [(&[u8], &[u8]); 12] = [
        (b"plain", b"hello"),
        (b"int8", b"-5"),
        (b"int16", b"3000"),
        (b"int32", b"-2000000000"),
        (b"int64", b"9223372036854775807"),
        (b"long", &long),
        (b"empty", b""),
        (b"expiring", b"soon"),
        (b"binary", b"\x00\x01\xff\r\nbin"),
        (b"numberlike", b"0012"),
        (b"12345", b"integer key"),
        (&long_key, b"compressed key"),
    ];
    let in_first = rows.into_iter().map(|(key, value)| {
        let expire_at = (key == b"expiring").then_some(4_102_444_800_000);
        ((0, key.to_vec()), (value.to_vec(), expire_at))
    });
    let other = ((7, b"other-db".to_vec()), (b"in seven".to_vec(), None));
    in_first.chain([other]).collect()
}

#[test]
fn files_of_redis_are_read() {
    for file in [PLAIN, LRU, LFU, OLDER] {
        assert_eq!(read(file, true).expect("a whole file").keys, expected());
    }
    let plain = read(PLAIN, true).unwrap();
    assert_eq!(plain.checksum, Some(Checksum::Right));
    assert!(plain.functions[0].starts_with(b"#!lua name=lib\n"));
    assert_eq!(plain.facts[0], (b"redis-ver".to_vec(), b"7.2.6".to_vec()));
    assert_eq!(plain.facts[1], (b"redis-bits".to_vec(), b"64".to_vec()));
    let lru = read(LRU, true).unwrap();
    assert_eq!((lru.checksum, lru.idle), (Some(Checksum::Disabled), 13));
    let lfu = read(LFU, true).unwrap();
    assert_eq!((lfu.frequencies.len(), lfu.idle), (13, 0));
    assert!(lfu.frequencies.iter().any(|&frequency| frequency > 5));
}

fn options(accesses: Accesses) -> FileOptions<'static> {
    FileOptions {
        compress: true,
        checksum: true,
        accesses,
        redis_version: "7.2.6",
        created_s: 1_700_000_000,
        used_memory: 1_000_000,
        functions: Vec::new(),
    }
}

fn keyspace(keys: &Keys) -> Keyspace {
    let mut keyspace = Keyspace::new(16, false);
    keyspace.set_now(1_000_000);
    for ((db, key), (value, expire_at)) in keys {
        let key = keyspace.key(key);
        keyspace.insert(*db as usize, &key, NewValue::from_bytes(value), *expire_at);
    }
    keyspace
}

fn written(keyspace: &Keyspace, options: &FileOptions<'_>) -> Vec<u8> {
    let mut file = Vec::new();
    write_file(&mut file, keyspace, options, &mut || Ok(())).expect("memory takes everything");
    file
}

#[test]
fn ours_are_as_redis_writes_them() {
    let libraries = [b"#!lua name=x\nreturn 1".to_vec()];
    let options = FileOptions { functions: libraries.to_vec(), ..options(Accesses::Unsaid) };
    let file = written(&keyspace(&expected()), &options);
    let contents = read(&file[..], true).unwrap();
    assert_eq!(contents.keys, expected());
    assert_eq!(contents.functions, libraries);
    assert_eq!(contents.checksum, Some(Checksum::Right));
    let names = |contents: &Contents| -> Vec<Vec<u8>> {
        contents.facts.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(&contents), names(&read(PLAIN, true).unwrap()));
    // Everything before the first key, but for time and memory, is the same byte by byte.
    assert_eq!(file[..48], PLAIN[..48]);
}

#[test]
fn one_key_byte_by_byte() {
    let keys = Keys::from([((3, b"k".to_vec()), (b"v".to_vec(), Some(0x0102)))]);
    let mut keyspace = keyspace(&keys);
    let lfu = AccessMode::Lfu { log_factor: 10, decay_minutes: 1 };
    keyspace.set_access_mode(lfu);
    let key = keyspace.key(b"k");
    keyspace.set_expire_mode(crate::keyspace::ExpireMode::Ignore);
    keyspace.set_frequency(3, &key, 200);
    let no_checksum = FileOptions { checksum: false, ..options(Accesses::Frequency) };
    let file = written(&keyspace, &no_checksum);
    let tail =
        b"\xfe\x03\xfb\x01\x01\xfc\x02\x01\0\0\0\0\0\0\xf9\xc8\0\x01k\x01v\xff\0\0\0\0\0\0\0\0";
    assert!(file.ends_with(tail), "{:x?}", &file[file.len() - tail.len()..]);
    let idle = written(&keyspace, &options(Accesses::Idle));
    assert_eq!(read(&idle[..], true).unwrap().idle, 1);
}

#[test]
fn an_empty_node_has_a_file_too() {
    let file = written(&Keyspace::new(16, false), &options(Accesses::Unsaid));
    let contents = read(&file[..], true).unwrap();
    assert!(contents.keys.is_empty() && contents.checksum == Some(Checksum::Right));
}

#[test]
fn writing_stops_where_it_is_told_to() {
    let keyspace = keyspace(&expected());
    let mut left = 3;
    let mut count = || {
        left -= 1;
        if left == 0 { Err(ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    };
    let told = write_file(&mut Vec::new(), &keyspace, &options(Accesses::Unsaid), &mut count);
    assert_eq!(told.unwrap_err().kind(), ErrorKind::BrokenPipe);
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let full = write_file(&mut Full, &keyspace, &options(Accesses::Unsaid), &mut || Ok(()));
    assert_eq!(full.unwrap_err().kind(), ErrorKind::StorageFull);
}

/// A file of this version and body, with a checksum if that version has one.
fn file(version: u16, body: &[u8]) -> Vec<u8> {
    let mut file = format!("REDIS{version:04}").into_bytes();
    file.extend_from_slice(body);
    file.push(opcode::EOF);
    if version >= opcode::CHECKSUM_SINCE {
        file.extend_from_slice(&crc64::checksum(&file).to_le_bytes());
    }
    file
}

#[test]
fn older_versions() {
    let body = b"\xfe\x02\xfd\x10\x00\x00\x00\0\x01a\x01x\xfc\xff\0\0\0\0\0\0\0\0\x01b\xc0\x07";
    let keys = Keys::from([
        ((2, b"a".to_vec()), (b"x".to_vec(), Some(16_000))),
        ((2, b"b".to_vec()), (b"7".to_vec(), Some(255))),
    ]);
    for version in 1..=VERSION_MAX {
        let contents = read(&file(version, body)[..], true).unwrap();
        assert_eq!(contents.keys, keys, "{version}");
        let checked = if version < 5 { Checksum::Unchecked } else { Checksum::Right };
        assert_eq!(contents.checksum, Some(checked));
    }
}

#[test]
fn headers() {
    let refusal = |header: &[u8]| {
        Reader::new(header, true, ReadLimits::DEFAULT).err().expect("refused").to_string()
    };
    assert_eq!(refusal(b"RODIS0011"), "Wrong signature trying to load DB from file");
    assert_eq!(refusal(b"REDIS0013"), "Can't handle RDB format version 0013");
    assert_eq!(refusal(b"REDIS0000"), "Can't handle RDB format version 0000");
    assert_eq!(refusal(b"REDIS-001"), "Can't handle RDB format version -001");
    assert_eq!(refusal(b"REDIS001"), "Unexpected EOF reading RDB file");
    assert_eq!(refusal(b""), "Unexpected EOF reading RDB file");
}

fn refused(body: &[u8]) -> String {
    read(&file(11, body)[..], true).expect_err("refused").to_string()
}

#[test]
fn keys_without_a_value_are_told_apart() {
    let body = b"\xfb\x02\0\x02\x01a\0\xfc\xff\0\0\0\0\0\0\0\x04\x01b\0\0\x01c\x01v";
    let contents = read(&file(11, body)[..], true).unwrap();
    assert_eq!(contents.empty, [b"a", b"b"]);
    assert_eq!(contents.hinted, [2]);
    // What was said of the key that is none is not said of the next one.
    assert_eq!(contents.keys, Keys::from([((0, b"c".to_vec()), (b"v".to_vec(), None))]));
}

/// As Redis, which forgets what precedes a key only once the key is there.
#[test]
fn what_precedes_a_key_may_come_before_other_things() {
    let body = b"\xfc\xff\0\0\0\0\0\0\0\xfb\x01\x01\xfe\x03\xfa\x01x\x01y\0\x01c\x01v\0\x01d\x01v";
    let contents = read(&file(11, body)[..], true).unwrap();
    let keys = [
        ((3, b"c".to_vec()), (b"v".to_vec(), Some(255))),
        ((3, b"d".to_vec()), (b"v".to_vec(), None)),
    ];
    assert_eq!(contents.keys, Keys::from(keys));
}

#[test]
fn modules_can_be_skipped() {
    let id = b"\x81\xb5\xeb\x2d\xf9\xab\xb1\xc4\x00";
    let data = b"\x05\x03abc\x02\x07\0";
    let aux = [&b"\xf7"[..], id, b"\x02\x01", data].concat();
    let value = [&b"\x07\x01m"[..], id, data].concat();
    let whole = file(11, &[&aux[..], &value].concat());
    let mut reader = Reader::new(&whole[..], true, ReadLimits::DEFAULT).unwrap();
    reader.skip_modules();
    assert!(matches!(reader.next_item(), Ok(Item::ModuleAux { .. })));
    assert!(matches!(reader.next_item(), Ok(Item::ModuleKey(None))));
    assert!(matches!(reader.next_item(), Ok(Item::End(Checksum::Right))));
    assert!(
        refused(&value).ends_with("no matching module type 'test-auxx'"),
        "{}",
        refused(&value)
    );
    assert_eq!(refused(b"\x06\x01m"), "Pre-release module format not supported");
    let no_time = [&b"\xf7"[..], id, b"\x05\x01"].concat();
    assert_eq!(refused(&no_time), "bad when_opcode");
}

#[test]
fn what_is_not_understood_is_named() {
    assert_eq!(refused(&[6, 1, b'k', 0]), "Pre-release module format not supported");
    assert_eq!(refused(&[100, 1, b'k', 0]), "Corrupt RDB file: unknown type 100");
    // The id of a module called "test-auxx".
    let id = b"\xf7\x81\xb5\xeb\x2d\xf9\xab\xb1\xc4\x00\x02\x01";
    assert!(refused(id).ends_with("no matching module 'test-auxx'"), "{}", refused(id));
    assert_eq!(refused(&[246]), "Pre-release function format not supported.");
    assert_eq!(refused(b"\0\xc4"), "Corrupt RDB file: unknown string encoding 4");
    assert_eq!(refused(b"\xfe\xc0\x01"), "Corrupt RDB file: unknown length encoding 192");
}

/// No memory is taken for what is announced and not there.
#[test]
fn absurd_lengths() {
    for length in [&b"\x81\xff\xff\xff\xff\xff\xff\xff\xff"[..], b"\x80\xff\xff\xff\xff"] {
        assert_eq!(refused(&[b"\0", length].concat()), "Unexpected EOF reading RDB file");
        assert_eq!(refused(&[b"\0\x01k", length].concat()), "Unexpected EOF reading RDB file");
        let packed = [b"\0\x01k\xc3\x03", length, b"\x01ab"].concat();
        assert_eq!(refused(&packed), "Corrupt RDB file: invalid LZF compressed string");
    }
    // Nor for what a hint says.
    let hint = b"\xfb\x81\xff\xff\xff\xff\xff\xff\xff\xff\x81\xff\xff\xff\xff\xff\xff\xff\xff";
    assert!(read(&file(11, hint)[..], true).unwrap().keys.is_empty());
}

#[test]
fn checksums() {
    let good = file(11, b"\0\x01k\x01v");
    let with_sum = |sum: u64| {
        let mut changed = good.clone();
        let at = changed.len() - 8;
        changed[at..].copy_from_slice(&sum.to_le_bytes());
        changed
    };
    let right = crc64::checksum(&good[..good.len() - 8]);
    let wrong = read(&with_sum(7)[..], true).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        format!("RDB CRC error: Wrong RDB checksum expected: ({right:x}) but got (7)")
    );
    assert_eq!(read(&with_sum(7)[..], false).unwrap().checksum, Some(Checksum::Unchecked));
    assert_eq!(read(&with_sum(0)[..], true).unwrap().checksum, Some(Checksum::Disabled));
}

/// Gives its bytes in small pieces, with interruptions, and fails at the end if told to.
struct Drip<'a> {
    bytes: &'a [u8],
    piece: usize,
    calls: usize,
    error: Option<ErrorKind>,
}

impl Read for Drip<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls.is_multiple_of(3) {
            return Err(ErrorKind::Interrupted.into());
        }
        let count = self.piece.min(out.len()).min(self.bytes.len());
        if let (0, Some(kind)) = (count, self.error) {
            return Err(kind.into());
        }
        out[..count].copy_from_slice(&self.bytes[..count]);
        self.bytes = &self.bytes[count..];
        Ok(count)
    }
}

#[test]
fn errors_of_the_system_are_told() {
    let drip = |bytes, error| Drip { bytes, piece: 5, calls: 0, error };
    assert_eq!(read(drip(PLAIN, None), true).unwrap().keys, expected());
    for cut in 0..PLAIN.len() - 1 {
        let short = read(drip(&PLAIN[..cut], None), true).unwrap_err();
        assert!(matches!(short, Damage::Corrupt(Corrupt::Truncated)), "{cut}: {short}");
        let mut reader = match Reader::new(
            drip(&PLAIN[..cut], Some(ErrorKind::TimedOut)),
            true,
            ReadLimits::DEFAULT,
        ) {
            Ok(reader) => reader,
            Err(damage) => {
                assert!(matches!(damage, Damage::Io(_)), "{damage}");
                continue;
            }
        };
        let damage = loop {
            if let Err(damage) = reader.next_item() {
                break damage;
            }
        };
        let failure = reader.take_failure();
        assert!(matches!(damage, Damage::Io(_)) || failure.is_some(), "{cut}: {damage}");
    }
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn arbitrary_keys() -> impl Strategy<Value = Keys> {
    let text = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        (prop::collection::vec(any::<u8>(), 1..9), 1..3000usize)
            .prop_map(|(piece, times)| piece.repeat(times)),
    ];
    let place = (0..16u64, text.clone());
    prop::collection::btree_map(place, (text, prop::option::of(any::<i64>())), 0..40)
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn round_trip(keys in arbitrary_keys(), compress: bool, checksum: bool, idle: bool) {
        let accesses = if idle { Accesses::Idle } else { Accesses::Unsaid };
        let options = FileOptions { compress, checksum, ..options(accesses) };
        let file = written(&keyspace(&keys), &options);
        let drip = Drip { bytes: &file, piece: 999, calls: 0, error: None };
        let contents = read(drip, true).unwrap();
        prop_assert_eq!(contents.idle, if idle { keys.len() } else { 0 });
        prop_assert_eq!(contents.keys, keys);
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    /// A single bit is always noticed, by the checksum if by nothing else. (The version's digits
    /// are left out: old ones have no checksum.)
    #[test]
    fn every_bit_counts(at in 9..PLAIN.len(), bit in 0u8..8) {
        let mut file = PLAIN.to_vec();
        file[at] ^= 1 << bit;
        prop_assert!(read(&file[..], true).is_err());
    }

    /// Whatever the bytes are, reading ends, and nothing grows beyond what has arrived.
    #[test]
    fn damage_is_survived(
        which in 0..4usize,
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        shortens: bool,
    ) {
        let mut file = [PLAIN, LRU, LFU, OLDER][which].to_vec();
        for (at, byte) in places {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if shortens {
            file.truncate(cut.index(file.len()));
        }
        if let Ok(contents) = read(&file[..], false) {
            let held: usize = contents.keys.iter().map(|((_, k), (v, _))| k.len() + v.len()).sum();
            prop_assert!(held <= 100 * file.len());
        }
    }
}
