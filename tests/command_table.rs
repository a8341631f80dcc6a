//! Compares the table of commands with what Redis 7.2 answers to COMMAND INFO and COMMAND DOCS
//! (`data/commands-7.2.jsonl`, one command per line). Summaries are our own words and are not
//! compared.

use std::collections::{BTreeMap, BTreeSet};

use redis_rust::commands::FAMILIES;
use redis_rust::dispatch::keyspec::{Begin, Find, KeySpec};
use redis_rust::dispatch::syntax::{self, Argument, ArgumentType};
use redis_rust::dispatch::{Registered, Table};
use serde_json::{Map, Value, json};

const REDIS_7_2: &str = include_str!("data/commands-7.2.jsonl");

/// Full names of Redis 7.2 that are not there yet, one per line. It may only shrink.
const ABSENT: &str = include_str!("data/commands-absent.txt");

/// Commands that Redis 7.2 does not have.
const OURS_ALONE: &[&str] = &[
    "hexpire",
    "hexpireat",
    "hexpiretime",
    "hgetdel",
    "hgetex",
    "hpersist",
    "hpexpire",
    "hpexpireat",
    "hpexpiretime",
    "hpttl",
    "hsetex",
    "httl",
];

/// Redis's description of every command and subcommand, by full name.
fn expected() -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for line in REDIS_7_2.lines() {
        let command: Value = serde_json::from_str(line).expect("a JSON object per line");
        let subcommands = command["subcommands"].as_array().cloned().unwrap_or_default();
        for described in subcommands.into_iter().chain([command]) {
            let name = described["name"].as_str().expect("a name").to_owned();
            all.insert(name, described);
        }
    }
    all
}

/// Our description of a command, field by field as in the file.
fn described(table: &Table, registered: &Registered) -> Value {
    let command = registered.command;
    let range = command.legacy_range;
    let categories = command.acl_categories().names().map(|name| format!("@{name}"));
    let arguments = match syntax::arguments_of(command) {
        Ok(arguments) if arguments.is_empty() => Value::Null,
        Ok(arguments) => arguments.iter().map(argument).collect(),
        Err(bad) => panic!("{}: {} at `{}`", command.full_name, bad.reason, bad.rest),
    };
    assert_eq!(
        table.subcommands(registered).len(),
        command.subcommands.len(),
        "{}",
        command.full_name
    );
    json!({
        "name": command.full_name,
        "arity": command.arity,
        "flags": command.flags.names().collect::<Vec<_>>(),
        "first_key": range.first,
        "last_key": range.last,
        "step": range.step,
        "acl_categories": categories.collect::<Vec<_>>(),
        "tips": command.tips,
        "key_specs": command.keys.iter().map(key_spec).collect::<Vec<_>>(),
        "since": command.since,
        "group": command.group.name(),
        "arguments": arguments,
    })
}

fn argument(argument: &Argument) -> Value {
    let mut map = Map::new();
    map.insert("name".into(), json!(argument.name));
    map.insert("type".into(), json!(argument.kind.name()));
    if matches!(argument.kind, ArgumentType::OneOf | ArgumentType::Block) {
        map.insert("arguments".into(), argument.arguments.iter().map(self::argument).collect());
    } else {
        map.insert("display_text".into(), json!(argument.display));
    }
    let optional = [
        ("token", json!(argument.token)),
        ("key_spec_index", json!(argument.key_spec)),
        ("since", json!(argument.since)),
        ("deprecated_since", json!(argument.deprecated_since)),
    ];
    map.extend(optional.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.into(), v)));
    let flags: Vec<_> = argument.flag_names().collect();
    if !flags.is_empty() {
        map.insert("flags".into(), json!(flags));
    }
    Value::Object(map)
}

fn key_spec(spec: &KeySpec) -> Value {
    let begin = match spec.begin {
        Begin::Index(index) => json!({"type": "index", "spec": {"index": index}}),
        Begin::Keyword { word, start_from } => {
            json!({"type": "keyword", "spec": {"keyword": word, "startfrom": start_from}})
        }
        Begin::Unknown => json!({"type": "unknown", "spec": {}}),
    };
    let find = match spec.find {
        Find::Range { last, step, limit } => {
            json!({"type": "range", "spec": {"lastkey": last, "keystep": step, "limit": limit}})
        }
        Find::KeyNum { count_at, first, step } => json!({
            "type": "keynum",
            "spec": {"keynumidx": count_at, "firstkey": first, "keystep": step},
        }),
        Find::Unknown => json!({"type": "unknown", "spec": {}}),
    };
    let flags: Vec<_> = spec.flags.names().collect();
    let mut value = json!({"flags": flags, "begin_search": begin, "find_keys": find});
    if !spec.note.is_empty() {
        value["notes"] = json!(NOTE);
    }
    value
}

/// Stands for any note, which is in our own words.
const NOTE: &str = "(a note)";

/// Takes out of Redis's description what we word ourselves or compare elsewhere.
fn comparable(mut described: Value) -> Value {
    if let Some(map) = described.as_object_mut() {
        map.remove("subcommands");
    }
    for spec in described["key_specs"].as_array_mut().into_iter().flatten() {
        if spec.get("notes").is_some() {
            spec["notes"] = json!(NOTE);
        }
    }
    described
}

#[test]
fn every_command_is_declared_as_redis_describes_it() {
    let table = Table::new(FAMILIES);
    let expected = expected();
    let mut wrong = Vec::new();
    for registered in table.all() {
        let name = registered.full_name;
        let ours = described(&table, registered);
        let Some(theirs) = expected.get(name).cloned().map(comparable) else {
            assert!(OURS_ALONE.contains(&name), "Redis 7.2 has no {name}");
            continue;
        };
        let fields = theirs.as_object().expect("an object").iter();
        for (field, theirs) in fields.filter(|(field, theirs)| ours[field.as_str()] != **theirs) {
            wrong.push(format!("{name} {field}:\n  Redis {theirs}\n  ours  {}", ours[field]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_absent_is_listed_and_what_is_listed_is_absent() {
    let table = Table::new(FAMILIES);
    let have: BTreeSet<&str> = table.all().iter().map(|registered| registered.full_name).collect();
    let expected = expected();
    let absent: BTreeSet<&str> =
        expected.keys().map(String::as_str).filter(|name| !have.contains(name)).collect();
    let listed: BTreeSet<&str> = ABSENT.lines().collect();
    let lines = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join("\n");
    assert!(
        absent == listed,
        "tests/data/commands-absent.txt lists what is there (take out):\n{}\n\
         and does not list what has gone:\n{}",
        lines(&listed - &absent),
        lines(&absent - &listed),
    );
}

#[test]
fn summaries_are_one_line_and_names_are_unique() {
    let table = Table::new(FAMILIES);
    let mut names = BTreeSet::new();
    for registered in table.all() {
        let command = registered.command;
        assert!(names.insert(command.full_name), "{} is declared twice", command.full_name);
        assert!(command.summary.ends_with('.'), "{}", command.full_name);
        assert!(!command.summary.contains('\n'), "{}", command.full_name);
        assert_eq!(command.full_name, command.full_name.to_ascii_lowercase());
        let container = registered.container.map(|id| table.by_id(id).full_name);
        let prefix = command.full_name.split_once('|').map(|(container, _)| container);
        assert_eq!(prefix, container, "a subcommand is named after its container");
    }
}
