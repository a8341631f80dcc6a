//! The program under the name `redis-check-rdb`: what it prints of files, good and damaged, and how
//! it ends.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_redis-rust");
/// What the program of Redis 7.2.6 prints: a name, the file in hex, the exit code, and the lines
/// behind the first. Where it names a line of its source, ours names the place in the file.
const VECTORS: &str = include_str!("data/check-rdb-7.2.tsv");

fn run(args: &[&str]) -> Output {
    Command::new(PROGRAM).arg0("/usr/bin/redis-check-rdb").args(args).output().expect("a program")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16).expect("hex")).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

#[test]
fn files_are_reported_as_by_redis() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(VECTORS.lines().count() > 20);
    for line in VECTORS.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, bytes, code, lines] = columns[..] else { panic!("four columns: {line}") };
        let file = dir.path().join(name);
        fs::write(&file, from_hex(bytes)).expect("a file");
        let file = file.to_str().expect("text");
        let output = run(&[file]);
        let said = text(&output.stdout);
        let mut said = said.lines();
        assert_eq!(said.next(), Some(&*format!("[offset 0] Checking RDB file {file}")), "{name}");
        assert_eq!(said.collect::<Vec<_>>(), lines.split('|').collect::<Vec<_>>(), "{name}");
        assert_eq!(output.status.code(), code.parse().ok(), "{name}");
    }
}

#[test]
fn what_is_no_file() {
    let missing = run(&["/nowhere/dump.rdb"]);
    assert_eq!(text(&missing.stdout), "[offset 0] Checking RDB file /nowhere/dump.rdb\n");
    assert_eq!(missing.status.code(), Some(1));
    for args in [&[][..], &["a", "b"]] {
        let wrong = run(args);
        assert_eq!(text(&wrong.stderr), "Usage: /usr/bin/redis-check-rdb <rdb-file-name>\n");
        assert_eq!(wrong.status.code(), Some(1));
    }
    for word in ["-v", "--version"] {
        let version = run(&[word]);
        assert_eq!(text(&version.stdout), "redis-check-rdb 7.2.6\n");
        assert_eq!(version.status.code(), Some(0));
    }
}
