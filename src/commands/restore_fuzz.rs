//! Damage: payloads and files of every type and encoding, changed at random, with the checksum made
//! right again so that what is behind it is reached. Each is refused, or becomes values that can be
//! read, edited and saved as all others, and costs no more memory than its size explains. Run by
//! `cargo test`; `FUZZ_MUTATIONS` is how many there are, `FUZZ_SEED` where they begin:
//!
//! ```text
//! FUZZ_MUTATIONS=10000000 cargo test --release --lib restore_fuzz
//! RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address ASAN_OPTIONS=max_allocation_size_mb=256 \
//!     cargo test --no-default-features --target x86_64-unknown-linux-gnu --lib restore_fuzz
//! ```

mod mutate;
mod traffic;

use std::env;
use std::io;

use crate::base::rng::Rng;
use crate::base::text::from_hex;
use crate::base::{alloc, crc64};
use crate::config::Config;
use crate::core::loading::{Loaded, Loader, Twins};
use crate::core::{Client, ClientId, Core, Now};
use crate::dispatch::{Around, Table, execute};
use crate::keyspace::Free;
use crate::persistence::check_rdb;
use crate::resp::OwnedArgs;

const VECTORS: [&str; 5] = [
    include_str!("../../tests/data/dump-strings-7.2.tsv"),
    include_str!("../../tests/data/dump-lists-7.2.tsv"),
    include_str!("../../tests/data/dump-sets-7.2.tsv"),
    include_str!("../../tests/data/dump-hashes-7.2.tsv"),
    include_str!("../../tests/data/dump-others-7.2.tsv"),
];
const FILES: [&[u8]; 3] = [
    include_bytes!("../../tests/data/rdb/strings-7.2.rdb"),
    include_bytes!("../../tests/data/rdb/strings-7.2-lfu.rdb"),
    include_bytes!("../../tests/data/rdb/strings-7.0.rdb"),
];
const FIXTURES: [&[u8]; 2] = [
    include_bytes!("../../tests/data/fixtures/redis-7.2/all-types.rdb"),
    include_bytes!("../../tests/data/fixtures/redis-7.4/all-types.rdb"),
];

/// Mutations of an ordinary run, in all tests of this file.
const MUTATIONS: u64 = 104_000;
/// Tests that share them.
const SHARES: u64 = 4;
/// Of a share, one in so many is of a whole file, which costs as much as so many payloads.
const PAYLOADS_PER_FILE: u64 = 40;
/// A core is done with after so many mutations: nobody empties its queues here.
const MUTATIONS_PER_CORE: u64 = 2000;
/// Longer payloads are left to the files.
const PAYLOAD_BYTES_MAX: usize = 3000;
/// Bytes of a payload behind the value.
const FOOTER_BYTES: usize = 10;
/// Memory that a value may cost: so much for each byte that it is read from, three of which may
/// unfold to 264, and each of those to an entry of a table.
const COST_PER_BYTE: u64 = 4000;
const COST_MIN: u64 = 512 << 10;

/// A node without sockets.
struct Bench {
    core: Core,
    client: Client,
    table: &'static Table,
}

impl Bench {
    fn new() -> Bench {
        let config = Config::default().set("rdbchecksum", "no").expect("a directive");
        let table = super::table(&config).expect("the default names");
        let core = Core::new(config, table.full_names(), Now { unix_us: 1_700_000_000_000_000 });
        let mut bench = Bench { core, client: Client::new(ClientId(1), 0, 0), table };
        bench.run(&[b"DEBUG", b"SET-SKIP-CHECKSUM-VALIDATION", b"1"]);
        bench
    }

    /// Runs a command and gives its reply as it goes over the wire; `None` if there is no such
    /// command.
    fn run(&mut self, parts: &[&[u8]]) -> Option<Vec<u8>> {
        let args = OwnedArgs::from_parts(parts.iter().copied());
        let args = args.args();
        let entry = self.table.lookup(args)?;
        let request = execute::prepare(&self.core, self.table, args);
        execute::call(
            &mut self.core,
            &mut self.client,
            &mut Around::only(self.table),
            entry,
            &request,
        );
        self.client.blocked = None;
        self.core.effects.clear();
        let output = &mut self.client.reply.output;
        let mut reply = Vec::with_capacity(output.pending());
        let mut slices = [&[][..]; 64];
        let count = output.slices(&mut slices);
        slices[..count].iter().for_each(|slice| reply.extend_from_slice(slice));
        output.clear();
        Some(reply)
    }

    /// A command without blanks in its arguments.
    fn line(&mut self, line: &str) -> Option<Vec<u8>> {
        self.run(&line.split(' ').map(str::as_bytes).collect::<Vec<_>>())
    }

    /// What DUMP gives of a key.
    fn payload(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        let reply = self.run(&[b"DUMP", key])?;
        let header = reply.windows(2).position(|pair| pair == b"\r\n")?;
        let payload = reply.get(header + 2..)?.strip_suffix(b"\r\n")?;
        (reply[0] == b'$').then(|| payload.to_vec())
    }

    fn restore(&mut self, key: &[u8], payload: &[u8]) -> Vec<u8> {
        self.run(&[b"RESTORE", key, b"0", payload, b"REPLACE"]).expect("RESTORE")
    }

    /// The key is equal to what is read of what it is written as.
    fn check_round_trip(&mut self, what: &dyn Fn() -> String) {
        let payload = self.payload(b"k").unwrap_or_else(|| panic!("no payload: {}", what()));
        let copied = self.restore(b"copy", &payload);
        assert_eq!(copied, b"+OK\r\n", "the copy of {}", what());
        let digests = self.line("DEBUG DIGEST-VALUE k copy").expect("DEBUG");
        let digests = String::from_utf8_lossy(&digests).into_owned();
        let mut lines = digests.lines().skip(1);
        assert_eq!(lines.next(), lines.next(), "{}", what());
    }
}

/// A payload is refused, or makes a value like others.
fn try_payload(bench: &mut Bench, payload: &[u8], rng: &mut Rng) -> bool {
    let what = || format!("{}", payload.escape_ascii());
    let before = alloc::thread_allocated();
    let reply = bench.restore(b"k", payload);
    let cost = alloc::thread_allocated() - before;
    let most = COST_MIN + payload.len() as u64 * COST_PER_BYTE;
    assert!(cost <= most, "{cost} bytes of memory for {}", what());
    if reply != b"+OK\r\n" {
        let words = String::from_utf8_lossy(&reply).into_owned();
        assert!(words.starts_with("-ERR Bad data format\r"), "{words}: {}", what());
        return false;
    }
    let kind = bench.line("TYPE k").expect("TYPE");
    let commands = traffic::of(&kind).unwrap_or_else(|| panic!("a new type: {kind:?}"));
    for read in commands.reads {
        bench.line(read);
    }
    if bench.line("EXISTS k").as_deref() == Some(b":0\r\n") {
        // All of its fields had expired.
        assert_eq!(kind, b"+hash\r\n", "{}", what());
        return true;
    }
    bench.check_round_trip(&what);
    // An edit that is wrong may leave damage that the next one finds.
    for _ in 0..traffic::EDITS {
        let edit = commands.edits[rng.below(commands.edits.len() as u64) as usize];
        bench.line(edit);
    }
    if bench.line("EXISTS k").as_deref() == Some(b":1\r\n") {
        bench.check_round_trip(&what);
    }
    bench.line("DEL k copy");
    true
}

/// A file is refused, or its keys are as others. What was loaded before the damage is, anyway.
fn try_file(bench: &mut Bench, file: &[u8]) -> bool {
    let before = alloc::thread_allocated();
    let loader = Loader::begin(&mut bench.core, file, file.len() as u64, Twins::Replaced);
    let loaded = loader.and_then(|mut loader| loader.slice(&mut bench.core, true));
    bench.core.end_load();
    let cost = alloc::thread_allocated() - before;
    let most = COST_MIN + file.len() as u64 * COST_PER_BYTE;
    assert!(cost <= most, "{cost} bytes of memory for {} bytes of a file", file.len());
    bench.line("DEBUG DIGEST");
    for key in bench.line("RANDOMKEY").iter() {
        assert!(key.starts_with(b"$") || key.starts_with(b"_"));
    }
    bench.core.keyspace.flush(None, Free::Now);
    let good = check_rdb::check("fuzz", Ok(file), 0, io::sink()).expect("a sink takes everything");
    let whole = matches!(loaded, Ok(Loaded::All));
    // The check knows neither checksums that nobody wants nor the databases of a node.
    assert!(
        whole || !good || matches!(loaded, Err(error) if error.to_string().contains("databases"))
    );
    whole
}

/// Payloads of every type and encoding, without their footer.
fn payloads(bench: &mut Bench) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    for line in VECTORS.iter().flat_map(|lines| lines.lines()) {
        let digits = line.rsplit('\t').next().expect("a column");
        let bytes = from_hex(digits);
        found.push(bytes[..bytes.len() - FOOTER_BYTES].to_vec());
    }
    for compress in ["no", "yes"] {
        bench.core.config.rdbcompression = compress == "yes";
        for line in traffic::MAKERS {
            bench.line("DEL k");
            let made = line.split('|').all(|line| bench.line(line).is_some());
            if let Some(payload) = bench.payload(b"k").filter(|_| made) {
                found.push(payload[..payload.len() - FOOTER_BYTES].to_vec());
            }
        }
    }
    found.extend(traffic::OLD_ENCODINGS.iter().map(|bytes| bytes.to_vec()));
    found.retain(|payload| payload.len() <= PAYLOAD_BYTES_MAX);
    bench.line("DEL k");
    found
}

/// A file of all payloads that can be read.
fn file_of(bench: &mut Bench, payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut file = b"REDIS0011\xfe\x00\xfb\x20\x02".to_vec();
    for (number, payload) in payloads.iter().enumerate().filter(|(_, payload)| payload.len() < 600)
    {
        let whole = [payload.as_slice(), &[0; FOOTER_BYTES]].concat();
        if bench.restore(b"k", &whole) == b"+OK\r\n" {
            if number % 3 == 0 {
                file.extend_from_slice(b"\xfc\0\0\0\0\0\0\0\x7f");
            }
            file.extend_from_slice(&[payload[0], 3]);
            file.extend_from_slice(format!("{number:03}").as_bytes());
            file.extend_from_slice(&payload[1..]);
        }
    }
    bench.line("DEL k");
    file.push(0xff);
    let checksum = crc64::checksum(&file);
    file.extend_from_slice(&checksum.to_le_bytes());
    file
}

fn number_of(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn fuzz(share: u64) {
    let mutations = number_of("FUZZ_MUTATIONS", MUTATIONS) / SHARES;
    let seed = number_of("FUZZ_SEED", 1) * SHARES + share;
    let mut rng = Rng::seeded(seed);
    let mut bench = Bench::new();
    let payloads = payloads(&mut bench);
    let made = file_of(&mut bench, &payloads);
    assert!(try_file(&mut bench, &made), "the file that all begin with is good");
    let files: Vec<&[u8]> = FILES.iter().copied().chain([made.as_slice()]).collect();
    let (mut taken, mut tried) = (0u64, 0u64);
    for number in 0..mutations {
        if number % MUTATIONS_PER_CORE == 0 {
            bench = Bench::new();
        }
        if number % PAYLOADS_PER_FILE == 0 {
            let file = files[rng.below(files.len() as u64) as usize];
            try_file(&mut bench, &mutate::file(file, &payloads, &mut rng));
            continue;
        }
        let payload = &payloads[rng.below(payloads.len() as u64) as usize];
        let mut mutant = mutate::payload(payload, &payloads, &mut rng);
        mutant.extend_from_slice(&[0; FOOTER_BYTES]);
        taken += u64::from(try_payload(&mut bench, &mutant, &mut rng));
        tried += 1;
    }
    // Neither all nor nothing is refused, or the mutations are not worth much.
    if tried > 1000 {
        assert!(taken > tried / 50 && taken < tried * 49 / 50, "{taken} of {tried} were taken");
    }
}

#[test]
fn damage_is_survived_first_share() {
    fuzz(0);
}

#[test]
fn damage_is_survived_second_share() {
    fuzz(1);
}

#[test]
fn damage_is_survived_third_share() {
    fuzz(2);
}

#[test]
fn damage_is_survived_fourth_share() {
    fuzz(3);
}

/// Files of real servers, as a whole.
#[test]
fn damaged_files_of_servers_are_survived() {
    let mutations = number_of("FUZZ_MUTATIONS", MUTATIONS) / 2000;
    let mut rng = Rng::seeded(number_of("FUZZ_SEED", 1));
    let mut bench = Bench::new();
    for number in 0..mutations {
        let file = FIXTURES[number as usize % FIXTURES.len()];
        try_file(&mut bench, &mutate::file(file, &[], &mut rng));
    }
}
