//! Style as a test: sizes of files and functions, where `unsafe`, clocks, randomness and mio may
//! appear, and which room may import from which. Reads the source as text, run by `cargo test`.
//! Must never need anything but the source tree.
//!
//! A rule that a file cannot keep for a good reason is listed in [`EXCEPTIONS`]. The list may only
//! shrink: an entry that no longer occurs fails the test, and so does one that grew.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
const PARAMETERS_MAX: usize = 5;
const COLUMNS_MAX: usize = 100;

/// Rooms from the bottom up: a room imports from itself and from those before it.
const ROOMS: &[&str] = &[
    "base",
    "resp",
    "data",
    "value",
    "keyspace",
    "persistence",
    "replication",
    "cluster",
    "scripting",
    "config",
    "acl",
    "core",
    "dispatch",
    "commands",
    "node",
    "lib",
    "main",
];

/// Paths, without their ending, of the rooms that may hold `unsafe`.
const UNSAFE_ROOMS: &[&str] = &[
    "src/base/alloc",
    "src/base/prefetch",
    "src/data/hashtable",
    "src/data/prefetch",
    "src/data/thin",
    "src/keyspace/slot_table",
    "src/node/child",
    "src/node/crash",
    "src/value/member",
    "src/value/field",
    "src/value/record",
    "src/value/scored",
];

/// Words of code that only the files below the given paths may hold.
const CONFINED: &[(&str, &str, &str)] = &[
    ("mio", "mio", "src/node"),
    ("clock", "Instant::now", "src/base/clock"),
    ("clock", "SystemTime::now", "src/base/clock"),
    ("clock", "quanta", "src/base/clock"),
    ("random", "RandomState", "src/base/rng"),
    ("random", "getrandom", "src/base/rng"),
    ("random", "thread_rng", "src/base/rng"),
];

/// Words of code that no file may hold.
const BANNED: &[&str] = &["todo!", "unimplemented!", "dbg!", "#[ignore"];

/// What the rules are broken by, and how much: rule, place, and the size or count that is accepted.
/// A place is a path, for functions followed by their name. Long tables belong here.
const EXCEPTIONS: &[(&str, &str, usize)] = &[];

/// Rule and place to the largest size, or the count, found there.
type Findings = BTreeMap<(&'static str, String), usize>;

/// One source file, apart into code and comments. Both have the length of the text: what belongs to
/// the other, and the inside of strings, is blank. Line ends stay.
struct Source {
    path: String,
    text: String,
    code: String,
    comments: String,
}

impl Source {
    fn new(path: &str, text: String) -> Source {
        let kinds = classify(text.as_bytes());
        let only = |wanted: Kind| {
            let keep = |(&b, &kind)| if kind == wanted || b == b'\n' { b } else { b' ' };
            let kept: Vec<u8> = text.as_bytes().iter().zip(&kinds).map(keep).collect();
            String::from_utf8(kept).unwrap_or_else(|e| panic!("{path}: {e}"))
        };
        let (code, comments) = (only(Kind::Code), only(Kind::Comment));
        Source { path: path.to_string(), text, code, comments }
    }

    fn line_of(&self, at: usize) -> usize {
        self.text[..at].bytes().filter(|&b| b == b'\n').count()
    }

    fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let first = inside.split('/').next()?;
        Some(first.strip_suffix(".rs").unwrap_or(first))
    }

    fn is_below(&self, prefix: &str) -> bool {
        let rest = self.path.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.starts_with(['/', '.', '_']))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Text,
}

/// The kind of every byte. Delimiters of strings count as their inside does.
fn classify(text: &[u8]) -> Vec<Kind> {
    let mut kinds = Vec::with_capacity(text.len());
    while kinds.len() < text.len() {
        let at = kinds.len();
        let rest = &text[at..];
        let after_word = at > 0 && is_word(text[at - 1]);
        let (kind, length) = if rest.starts_with(b"//") {
            (Kind::Comment, rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len()))
        } else if rest.starts_with(b"/*") {
            (Kind::Comment, block_comment_length(rest))
        } else if let Some(length) = raw_string_length(rest).filter(|_| !after_word) {
            (Kind::Text, length)
        } else if rest[0] == b'"' {
            (Kind::Text, quoted_length(rest, b'"'))
        } else if rest[0] == b'\'' && is_char_literal(rest) {
            (Kind::Text, quoted_length(rest, b'\''))
        } else {
            (Kind::Code, 1)
        };
        kinds.resize(at + length, kind);
    }
    kinds
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

fn block_comment_length(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The length of `r"…"`, `r#"…"#` or `br"…"` at the front of `rest`.
fn raw_string_length(rest: &[u8]) -> Option<usize> {
    let prefix = rest.iter().take_while(|&&b| b == b'b' || b == b'c').count().min(1);
    let hashes_start = prefix + usize::from(rest.get(prefix) == Some(&b'r'));
    if hashes_start == prefix {
        return None;
    }
    let hashes = rest[hashes_start..].iter().take_while(|&&b| b == b'#').count();
    if rest.get(hashes_start + hashes) != Some(&b'"') {
        return None;
    }
    let mut end = vec![b'"'];
    end.resize(1 + hashes, b'#');
    let body = hashes_start + hashes + 1;
    let length = rest[body..].windows(end.len()).position(|w| w == end);
    Some(length.map_or(rest.len(), |n| body + n + end.len()))
}

fn quoted_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// Tells `'a'` and `'\n'` from a lifetime.
fn is_char_literal(rest: &[u8]) -> bool {
    match rest.get(1) {
        Some(b'\\') => true,
        Some(b) if b.is_ascii() => rest.get(2) == Some(&b'\''),
        _ => true,
    }
}

/// Starts of `word` in `code` where it is not part of a longer name.
fn word_starts<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = code.as_bytes();
    let edge = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_none_or(|&b| !is_word(b));
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let ends_in_word = word.ends_with(|c: char| c.is_ascii_alphanumeric());
        let starts_in_word = word.starts_with(|c: char| c.is_ascii_alphanumeric());
        (!starts_in_word || edge(at.checked_sub(1)))
            && (!ends_in_word || edge(Some(at + word.len())))
    })
}

/// The range between the bracket that opens at `open` and the one that closes it, without both.
fn bracketed(code: &str, open: usize) -> Option<Range<usize>> {
    let mut depth = 0usize;
    for (at, b) in code.bytes().enumerate().skip(open) {
        match b {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(open + 1..at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The pieces of a list between commas that no bracket encloses, empty ones left out.
fn list_items(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut previous) = (0i32, 0, b' ');
    let mut items = Vec::new();
    for (at, b) in list.bytes().enumerate() {
        match b {
            b'(' | b'[' | b'{' | b'<' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b'>' if previous != b'-' && previous != b'=' => depth -= 1,
            b',' if depth == 0 => {
                items.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
        previous = b;
    }
    items.push(list[start..].trim());
    items.retain(|item| !item.is_empty());
    items
}

struct Function<'a> {
    name: &'a str,
    parameters: usize,
    lines: usize,
}

/// Every function with a body. Function types (`fn(&mut Context)`) have no name and are passed
/// over.
fn functions(source: &Source) -> Vec<Function<'_>> {
    let code = &source.code;
    let found = word_starts(code, "fn").filter_map(|at| {
        let name = code[at + 2..].trim_start();
        let name = &name[..name.bytes().take_while(|&b| is_word(b)).count()];
        let parens = at + code[at..].find('(')?;
        let parameters = bracketed(code, parens)?;
        let body = parameters.end + code[parameters.end..].find(['{', ';'])?;
        if name.is_empty() || code.as_bytes()[body] == b';' {
            return None;
        }
        let end = bracketed(code, body)?.end;
        let named = list_items(&code[parameters]);
        let counted = named.iter().filter(|p| word_starts(p, "self").next().is_none());
        let lines = source.line_of(end) - source.line_of(at) + 1;
        Some(Function { name, parameters: counted.count(), lines })
    });
    found.collect()
}

/// The rooms that `code` names after `crate::`, grouped imports included.
fn imported_rooms(code: &str) -> Vec<&str> {
    let mut rooms = Vec::new();
    for at in word_starts(code, "crate::") {
        let path = at + "crate::".len();
        let items = match code.as_bytes().get(path) {
            Some(b'{') => bracketed(code, path).map_or(Vec::new(), |r| list_items(&code[r])),
            _ => vec![&code[path..]],
        };
        let head = |item: &'_ str| item.bytes().take_while(|&b| is_word(b)).count();
        rooms.extend(items.into_iter().map(|item| &item[..head(item)]));
    }
    rooms.retain(|room| ROOMS.contains(room));
    rooms
}

fn check_sizes(source: &Source, findings: &mut Findings) {
    let mut note = |rule, place: String, size: usize, max: usize| {
        if size > max {
            let worst = findings.entry((rule, place)).or_default();
            *worst = size.max(*worst);
        }
    };
    note("file lines", source.path.clone(), source.text.lines().count(), FILE_LINES_MAX);
    for line in source.text.lines() {
        note("columns", source.path.clone(), line.chars().count(), COLUMNS_MAX);
    }
    for function in functions(source) {
        let place = format!("{} {}", source.path, function.name);
        note("function lines", place.clone(), function.lines, FUNCTION_LINES_MAX);
        note("parameters", place, function.parameters, PARAMETERS_MAX);
    }
}

/// A page of its own serves as the opening of the crate.
fn opens_with_docs(text: &str) -> bool {
    text.starts_with("//!") || text.starts_with("#![doc = include_str!")
}

fn check_words(source: &Source, findings: &mut Findings) {
    let mut note = |rule, count: usize| {
        if count > 0 {
            *findings.entry((rule, source.path.clone())).or_default() += count;
        }
    };
    note("file opens with //!", usize::from(!opens_with_docs(&source.text)));
    for word in BANNED {
        note(word, word_starts(&source.code, word).count());
    }
    note("fixme in a comment", word_starts(&source.comments, concat!("FIX", "ME")).count());
    if source.room().is_none() {
        return;
    }
    for (rule, word, home) in CONFINED {
        if !source.is_below(home) {
            note(rule, word_starts(&source.code, word).count());
        }
    }
}

fn check_unsafe(source: &Source, findings: &mut Findings) {
    let home = UNSAFE_ROOMS.iter().any(|room| source.is_below(room));
    let explained = |at: usize| {
        let line = source.line_of(at);
        let before = source.comments.lines().skip(line.saturating_sub(8)).take(9.min(line + 1));
        before.into_iter().any(|comment| comment.contains("SAFETY:"))
    };
    for at in word_starts(&source.code, "unsafe") {
        let block = source.code[at + "unsafe".len()..].trim_start().starts_with('{');
        if source.room().is_some() && !home {
            *findings.entry(("unsafe outside its rooms", source.path.clone())).or_default() += 1;
        } else if block && !explained(at) {
            *findings.entry(("unsafe without SAFETY", source.path.clone())).or_default() += 1;
        }
    }
}

/// How many modules deep the file is: 1 for `src/node/mod.rs`, 2 for `src/node/cron.rs`.
fn module_depth(path: &str) -> usize {
    let inside = path.trim_start_matches("src/").trim_end_matches("/mod.rs");
    inside.split('/').count()
}

/// Counts the chains of `super::` that reach the top of the crate, past any check of rooms.
fn escapes(source: &Source) -> usize {
    let chains = word_starts(&source.code, "super::").filter(|&at| {
        let (before, chain) = source.code.split_at(at);
        let steps = chain.split("super::").take_while(|between| between.is_empty()).count();
        let inline = word_starts(before, "mod").any(|m| {
            let rest = before[m + "mod".len()..].trim_start();
            rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').starts_with(" {")
        });
        !before.ends_with("super::") && steps >= module_depth(&source.path) + usize::from(inline)
    });
    chains.count()
}

fn check_imports(source: &Source, findings: &mut Findings) {
    let Some(room) = source.room() else { return };
    let rank = |name: &str| ROOMS.iter().position(|&r| r == name);
    let Some(own) = rank(room) else {
        findings.insert(("unknown room", source.path.clone()), 1);
        return;
    };
    if escapes(source) > 0 {
        findings.insert(("super leaves the room", source.path.clone()), escapes(source));
    }
    for imported in imported_rooms(&source.code) {
        if rank(imported) > Some(own) {
            let place = format!("{} {imported}", source.path);
            *findings.entry(("import points upwards", place)).or_default() += 1;
        }
    }
}

fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

fn check(source: &Source) -> Findings {
    let mut findings = Findings::new();
    check_sizes(source, &mut findings);
    check_words(source, &mut findings);
    check_unsafe(source, &mut findings);
    check_imports(source, &mut findings);
    findings
}

#[test]
fn the_source_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for dir in ["src", "tests", "benches"] {
        rust_files(&root.join(dir), &mut files);
    }
    let mut findings = Findings::new();
    for file in &files {
        let path = file.strip_prefix(root).unwrap_or(file).to_string_lossy().into_owned();
        let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{path}: {e}"));
        findings.append(&mut check(&Source::new(&path, text)));
    }
    let mut problems = Vec::new();
    for &(rule, place, size) in EXCEPTIONS {
        match findings.remove(&(rule, place.to_string())) {
            None => problems.push(format!("remove the exception: {rule}: {place}")),
            Some(found) if found > size => {
                problems.push(format!("{rule}: {place}: {found}, and {size} is the exception"));
            }
            Some(_) => {}
        }
    }
    problems.extend(findings.iter().map(|((rule, place), n)| format!("{rule}: {place} ({n})")));
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn strings_and_comments_are_not_code() {
    let text = "let a = \"unsafe // \\\" {\"; // unsafe {\nlet b = r#\"}\"\"#; /* /* x */ } */ 'a'";
    let source = Source::new("src/base/x.rs", text.to_string());
    assert!(!source.code.contains("unsafe") && !source.code.contains(['{', '}']));
    assert!(source.comments.contains("// unsafe {") && !source.comments.contains("let"));
    let lifetimes = "fn f<'a>(x: &'a u8) -> char { '\"' } // \"";
    let source = Source::new("src/base/x.rs", lifetimes.to_string());
    assert!(source.code.contains("<'a>(x: &'a u8)") && source.code.contains('}'));
}

#[test]
fn functions_are_measured() {
    let text = "fn a(&mut self, m: HashMap<u8, fn(u8, u8) -> u8>, n: (u8, u8),) {\n\n}\nfn b();\n";
    let source = Source::new("src/base/x.rs", text.to_string());
    let found = functions(&source);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].name, found[0].parameters, found[0].lines), ("a", 2, 3));
}

#[test]
fn imports_are_found_in_groups() {
    let code = "use crate::{base::{clock, rng}, node, resp::Error};\nlet x = crate::core::X;";
    assert_eq!(imported_rooms(code), ["base", "node", "resp", "core"]);
    let source = Source::new("src/data/x.rs", format!("//! x\n{code}"));
    let findings = check(&source);
    let upwards: Vec<&str> = findings.keys().map(|(_, place)| place.as_str()).collect();
    assert_eq!(upwards, ["src/data/x.rs core", "src/data/x.rs node"]);
}

#[test]
fn chains_of_super_stay_in_their_room() {
    let count = |path: &str, text: &str| escapes(&Source::new(path, text.to_string()));
    assert_eq!(count("src/core/mod.rs", "use super::node;"), 1);
    assert_eq!(count("src/core/x.rs", "use super::y; mod a;"), 0);
    assert_eq!(count("src/core/x.rs", "use super::super::node;"), 1);
    assert_eq!(count("src/core/x.rs", "mod tests { use super::super::y; }"), 0);
    assert_eq!(count("src/core/x.rs", "mod tests { use super::super::super::node; }"), 1);
    assert_eq!(count("src/core/tests/x.rs", "use super::super::y;"), 0);
}

#[test]
fn every_rule_finds_its_offence() {
    let long = format!("fn long() {{{}}}", "\n".repeat(FUNCTION_LINES_MAX));
    let offences = [
        ("columns", "x".repeat(101)),
        ("file lines", "\n".repeat(801)),
        ("function lines", long),
        ("parameters", "fn f(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) {}".to_string()),
        ("mio", "use mio::Poll;".to_string()),
        ("clock", "let t = std::time::Instant::now();".to_string()),
        ("random", "RandomState::new()".to_string()),
        ("todo!", "todo!()".to_string()),
        ("#[ignore", "#[ignore = \"slow\"]".to_string()),
        ("fixme in a comment", concat!("// FIX", "ME later").to_string()),
        ("unsafe outside its rooms", "unsafe { f() }".to_string()),
        ("import points upwards", "use crate::node::Poll;".to_string()),
    ];
    for (rule, text) in offences {
        let findings = check(&Source::new("src/core/x.rs", format!("//! x\n{text}\n")));
        let rules: Vec<&str> = findings.keys().map(|(rule, _)| *rule).collect();
        assert_eq!(rules, [rule], "{text}");
    }
    let room = Source::new("src/data/hashtable.rs", "//! x\nunsafe { f() }\n".to_string());
    assert!(check(&room).contains_key(&("unsafe without SAFETY", room.path.clone())));
}
