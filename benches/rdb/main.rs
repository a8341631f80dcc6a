//! Loading and saving a file of many kinds of values, ours and a real redis-server's: how long the
//! start takes on the same file, and how long SAVE takes of what was loaded. Run by hand:
//! `cargo bench --bench rdb -- --help`. Never part of `cargo test`.

#[path = "../common/mod.rs"]
#[allow(dead_code)] // the other benches use the rest
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use common::{Client, Result, Spec, encode};

const USAGE: &str = "\
usage: cargo bench --bench rdb -- [options] [-- server options]
  --ours PATH        the first server (the release binary)
  --theirs PATH      the second server (redis-server in PATH), which also makes the file
  --mb N             megabytes of the file (1024)
  --dir PATH         where files are; a file system in memory leaves the disk out (the temporary
                     directory)
  --file PATH        a file that is there already, instead of a new one
  --rounds N         loads and saves of each server, of which the fastest counts (3)
  --only SIDE        ours or theirs";

/// Megabytes of values that a round of commands makes, before it is looked how big the file is.
const STEP_KEYS: u64 = 20_000;
/// Kinds of keys in a file, and how often they come.
const KINDS: u64 = 20;

struct Options {
    mb: u64,
    dir: PathBuf,
    file: Option<PathBuf>,
    rounds: usize,
    only: Option<String>,
}

fn options(given: Vec<(String, String)>) -> Result<Options> {
    let mut options =
        Options { mb: 1024, dir: std::env::temp_dir(), file: None, rounds: 3, only: None };
    for (name, value) in given {
        match name.as_str() {
            "--mb" => options.mb = value.parse()?,
            "--dir" => options.dir = value.into(),
            "--file" => options.file = Some(value.into()),
            "--rounds" => options.rounds = value.parse()?,
            _ => options.only = Some(value),
        }
    }
    Ok(options)
}

/// Text that compresses as text does, different for each number.
fn text(number: u64, length: usize) -> String {
    const WORDS: [&str; 16] = [
        "name", "\":\"", "value", "2024-", "user", "id=", "true", "http://", "example", ".com/",
        "count", "[0,", "status", "ok", "left", "right",
    ];
    let mut text = String::with_capacity(length + 16);
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while text.len() < length {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        match state >> 62 {
            0 => text.push_str(&format!("{:x}", state >> 40)),
            _ => text.push_str(WORDS[(state >> 57) as usize % WORDS.len()]),
        }
    }
    text.truncate(length);
    text
}

/// The command that makes key `number`: mostly small values of every type that both know.
fn make(number: u64, out: &mut Vec<u8>) {
    let key = format!("object:{number:010}");
    let words: Vec<String> = match number % KINDS {
        0..6 => vec!["SET".into(), key, text(number, 20 + (number % 180) as usize)],
        6..8 => vec!["SET".into(), key, number.to_string()],
        8 => vec!["SET".into(), key, text(number, 10), "PXAT".into(), "4102444800000".into()],
        9 => vec!["SET".into(), key, text(number, 4000)],
        10..14 => {
            let fields = (0..6).flat_map(|i| [format!("field{i}"), text(number + i, 24)]);
            ["HSET".into(), key].into_iter().chain(fields).collect()
        }
        14..16 => {
            let elements = (0..20).map(|i| text(number + i, 16));
            ["RPUSH".into(), key].into_iter().chain(elements).collect()
        }
        16 => {
            let members = (0..16).map(|i| (number * 7 + i * i).to_string());
            ["SADD".into(), key].into_iter().chain(members).collect()
        }
        17 => {
            let members = (0..40).map(|i| format!("member:{:08}", number * 31 + i));
            ["SADD".into(), key].into_iter().chain(members).collect()
        }
        18 => {
            // Hash tables and lists that have many elements, each of them from many commands.
            let big = format!("big:hash:{}", number / 1_000_000);
            let fields = (0..20).flat_map(|i| [format!("f{number}:{i}"), text(number + i, 16)]);
            ["HSET".into(), big].into_iter().chain(fields).collect()
        }
        _ => {
            let big = format!("big:list:{}", number / 1_000_000);
            let elements = (0..20).map(|i| text(number + i, 40));
            ["RPUSH".into(), big].into_iter().chain(elements).collect()
        }
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    encode(out, &words);
}

fn with(spec: &Spec, more: &[&str]) -> Spec {
    let mut spec = spec.clone();
    spec.options.extend(more.iter().map(|word| word.to_string()));
    spec
}

fn path(path: &Path) -> Result<&str> {
    Ok(path.to_str().ok_or("a path that is no text")?)
}

fn megabytes(file: &Path) -> Result<f64> {
    Ok(fs::metadata(file)?.len() as f64 / 1e6)
}

/// Has a server make the file.
fn generate(spec: &Spec, dir: &Path, mb: u64) -> Result<PathBuf> {
    let file = dir.join("dump.rdb");
    let server = with(spec, &["--dir", path(dir)?]).launch()?;
    let mut client = server.client()?;
    let mut keys = 0;
    let mut step = STEP_KEYS;
    loop {
        let base = keys;
        client.load(step, |i, out| make(base + i, out))?;
        keys += step;
        client.ask(&["SAVE"])?;
        let have = megabytes(&file)?;
        println!("{keys} commands: {have:.0} MB");
        if have >= mb as f64 {
            return Ok(file);
        }
        // What is missing at the same rate, and a little more.
        step = ((mb as f64 / have - 1.0) * keys as f64 * 1.01) as u64 + 1000;
    }
}

/// Seconds that a server took to load, as it says itself.
fn loading_seconds(log: &Path) -> Result<f64> {
    let text = fs::read_to_string(log)?;
    let line = text.lines().rev().find(|line| line.contains("DB loaded from disk"));
    let word = line.and_then(|line| line.split("disk: ").nth(1)?.split(' ').next());
    Ok(word.ok_or_else(|| format!("no load in {text}"))?.parse()?)
}

/// What loading and saving once took, in seconds.
#[derive(Clone, Copy)]
struct Took {
    load: f64,
    save: f64,
    /// Of the processor, which other programs disturb less.
    load_cpu: f64,
    save_cpu: f64,
}

impl Took {
    /// The least of each.
    fn min(self, other: Took) -> Took {
        Took {
            load: self.load.min(other.load),
            save: self.save.min(other.save),
            load_cpu: self.load_cpu.min(other.load_cpu),
            save_cpu: self.save_cpu.min(other.save_cpu),
        }
    }
}

fn round(spec: &Spec, dir: &Path, file: &Path) -> Result<Took> {
    let home = tempfile::tempdir_in(dir)?;
    fs::hard_link(file, home.path().join("dump.rdb"))
        .or_else(|_| fs::copy(file, home.path().join("dump.rdb")).map(drop))?;
    let log = home.path().join("server.log");
    let own = ["--dir", path(home.path())?, "--logfile", path(&log)?];
    let server = with(spec, &own).launch()?;
    let (load, load_cpu) = (loading_seconds(&log)?, server.cpu_seconds()?);
    let mut client: Client = server.client()?;
    let started = Instant::now();
    client.ask(&["SAVE"])?;
    let save = started.elapsed().as_secs_f64();
    Ok(Took { load, save, load_cpu, save_cpu: server.cpu_seconds()? - load_cpu })
}

fn main() -> Result<()> {
    let own = ["--mb", "--dir", "--file", "--rounds", "--only"];
    let arguments = common::arguments(env!("CARGO_BIN_EXE_redis-rust"), &own, USAGE)?;
    let options = options(arguments.own)?;
    let dir = tempfile::tempdir_in(&options.dir)?;
    let file = match &options.file {
        Some(file) => file.clone(),
        None => generate(&arguments.specs[1], dir.path(), options.mb)?,
    };
    println!("{:.0} MB in {}", megabytes(&file)?, options.dir.display());
    let mut best = Vec::new();
    for spec in &arguments.specs {
        if options.only.as_ref().is_some_and(|only| only != spec.name) {
            continue;
        }
        let mut fastest: Option<Took> = None;
        for _ in 0..options.rounds {
            let took = round(spec, dir.path(), &file)?;
            let Took { load, save, load_cpu, save_cpu } = took;
            println!(
                "{:>8}: load {load:7.3} s ({load_cpu:.2} s of CPU), save {save:7.3} s \
                 ({save_cpu:.2} s of CPU)",
                spec.name
            );
            fastest = Some(fastest.map_or(took, |other| other.min(took)));
        }
        let fastest = fastest.ok_or("no round")?;
        let mb = megabytes(&file)?;
        println!(
            "{:>8}: load {:.0} MB/s, save {:.0} MB/s",
            spec.name,
            mb / fastest.load,
            mb / fastest.save
        );
        best.push(fastest);
    }
    if let [ours, theirs] = best[..] {
        println!(
            "speed of ours by theirs: load {:.2}, save {:.2}; by CPU: load {:.2}, save {:.2}",
            theirs.load / ours.load,
            theirs.save / ours.save,
            theirs.load_cpu / ours.load_cpu,
            theirs.save_cpu / ours.save_cpu
        );
    }
    Ok(())
}
