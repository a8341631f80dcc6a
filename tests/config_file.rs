//! The configuration: defaults, files, CONFIG GET, SET and REWRITE, against what Redis 7.2 answers.

use std::collections::BTreeSet;
use std::fs;
use std::io::empty;
use std::path::Path;

use proptest::prelude::*;
use redis_rust::config::{
    Apply, Caller, Choice, Config, DIRECTIVES, Flags, LoadError, LogLevel, MaxmemoryPolicy,
    OutputClass, ReplicaOf, SavePoint, SetError, ShutdownFlags, Sources, absolute_path, lookup,
    rewrite,
};

/// What a server of Redis 7.2 answered to CONFIG GET * (except `dir` and `logfile`), started with
/// the directives of `STARTED_WITH` in its file.
const DEFAULTS: &str = include_str!("data/config-defaults-7.2.tsv");

const STARTED_WITH: [(&str, &str); 3] =
    [("port", "7601"), ("save", ""), ("enable-debug-command", "yes")];

/// A file in the shape people have them.
const SAMPLE: &str = include_str!("data/sample-redis.conf");

fn get(config: &Config, name: &str) -> String {
    let value = config.get(name).unwrap_or_else(|| panic!("no directive {name}"));
    String::from_utf8(value).unwrap()
}

fn set(config: &mut Config, pairs: &[(&str, &str)]) -> Result<Vec<(Apply, &'static str)>, String> {
    set_as(config, pairs, Caller::default())
}

fn set_as(
    config: &mut Config,
    pairs: &[(&str, &str)],
    caller: Caller,
) -> Result<Vec<(Apply, &'static str)>, String> {
    let pairs: Vec<(&[u8], &[u8])> =
        pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let change = config.set_many(&pairs, caller).map_err(|error| error.to_string())?;
    Ok(change.reactions.iter().map(|reaction| (reaction.apply, reaction.name)).collect())
}

/// Loads lines; the words of the error with its line number, 0 where no line is to blame.
fn load(text: &str) -> Result<Config, (usize, String)> {
    let mut config = Config::default();
    match config.load_text(text.as_bytes()) {
        Ok(_) => Ok(config),
        Err(LoadError::Directive { line, words }) => {
            Err((line.map_or(0, |line| line.number), words.into_owned()))
        }
        Err(LoadError::File { path, words }) => Err((0, format!("{}: {words}", path.display()))),
    }
}

fn all(config: &Config) -> Vec<(Vec<u8>, Vec<u8>)> {
    config.get_matching(&[b"*"], |_, _| true)
}

#[test]
fn defaults_are_those_of_redis() {
    let mut config = Config::default();
    for (name, value) in STARTED_WITH {
        config = config.set(name, value).unwrap();
    }
    let mut names: BTreeSet<String> = ["dir", "logfile"].map(String::from).into();
    for line in DEFAULTS.lines() {
        let (name, value) = line.split_once('\t').unwrap();
        assert_eq!(get(&config, name), value, "{name}");
        names.insert(name.to_owned());
    }
    let ours: BTreeSet<String> =
        all(&config).into_iter().map(|(name, _)| String::from_utf8(name).unwrap()).collect();
    assert_eq!(ours, names, "no other directives than Redis shows");
}

#[test]
fn start_defaults_that_the_facts_override() {
    let config = Config::default();
    assert_eq!(get(&config, "port"), "6379");
    assert_eq!(get(&config, "save"), "3600 1 300 100 60 10000");
    assert_eq!(get(&config, "enable-debug-command"), "no");
    assert_eq!(get(&config, "logfile"), "");
    assert_eq!(Path::new(&get(&config, "dir")), std::env::current_dir().unwrap());
}

#[test]
fn names_are_unique_and_defaults_are_valid_values() {
    let config = Config::default();
    let mut names = BTreeSet::new();
    for directive in DIRECTIVES {
        for name in [Some(directive.name), directive.alias].into_iter().flatten() {
            assert!(names.insert(name), "{name} twice");
            assert_eq!(lookup(name.to_uppercase().as_bytes()).unwrap().name, name);
        }
        let value = directive.get(&config);
        // The one value that shows nothing and may not be set to nothing.
        if directive.name != "replicaof" {
            let again = Config::default().set(directive.name, &value);
            assert_eq!(directive.get(&again.unwrap()), value, "{}", directive.name);
        }
    }
}

#[test]
fn values_that_are_refused() {
    let cases = include_str!("data/config-refusals-7.2.tsv");
    for line in cases.lines().filter(|line| !line.is_empty()) {
        let [name, value, words] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let mut config = Config::default();
        let error = set(&mut config, &[(name, value)]).expect_err(line);
        assert_eq!(
            error,
            format!("CONFIG SET failed (possibly related to argument '{name}') - {words}")
        );
        assert_eq!(all(&config), all(&Config::default()), "{line} changed something");
    }
}

#[test]
fn values_as_they_are_shown() {
    let cases = [
        ("maxmemory", "1gb", "1073741824"),
        ("maxmemory", "1K", "1000"),
        ("maxmemory", "", "0"),
        ("maxmemory", "18446744073709551615", "18446744073709551615"),
        ("maxmemory-clients", "5%", "5%"),
        ("maxmemory-clients", "10mb", "10485760"),
        ("maxmemory-policy", "ALLKEYS-lru", "allkeys-lru"),
        ("oom-score-adj", "relative", "yes"),
        ("hz", "0", "1"),
        ("hz", "1000", "500"),
        ("save", "1 2 3 4", "1 2 3 4"),
        ("save", "", ""),
        ("shutdown-on-sigint", "now NOSAVE", "nosave now"),
        ("shutdown-on-sigterm", "default", "default"),
        ("notify-keyspace-events", "KEA", "AKE"),
        ("notify-keyspace-events", "An", "A"),
        ("notify-keyspace-events", "mnx", "xnm"),
        ("latency-tracking-info-percentiles", "", ""),
        ("latency-tracking-info-percentiles", "1 99.90", "1 99.9"),
        ("oom-score-adj-values", " 1 -2000", "0 1 -2000"),
        ("replica-announce-ip", "", ""),
        ("bind", "", ""),
        ("bind", "127.0.0.1 -::1", "127.0.0.1 -::1"),
        ("rdbcompression", "NO", "no"),
        (
            "client-output-buffer-limit",
            "replica 1k 1kb 1",
            "normal 0 0 0 slave 1000 1024 1 pubsub 33554432 8388608 60",
        ),
    ];
    for (name, value, shown) in cases {
        let mut config = Config::default();
        match set(&mut config, &[(name, value)]) {
            Ok(_) => assert_eq!(get(&config, name), shown, "{name} {value}"),
            Err(error) => assert_eq!(shown, "", "{name} {value}: {error}"),
        }
    }
}

#[test]
fn several_directives_are_set_together_or_not_at_all() {
    let mut config = Config::default();
    let error = set(&mut config, &[("timeout", "5"), ("maxmemory", "x")]).unwrap_err();
    assert!(error.contains("'maxmemory'"), "{error}");
    assert_eq!(config.timeout, 0);
    let reactions =
        set(&mut config, &[("maxmemory", "1mb"), ("hz", "20"), ("timeout", "5")]).unwrap();
    assert_eq!(reactions, [(Apply::MaxMemory, "maxmemory"), (Apply::Hz, "hz")]);
    assert_eq!((config.maxmemory, config.hz, config.timeout), (1 << 20, 20, 5));
}

#[test]
fn reactions_come_once_and_only_for_what_changed() {
    let mut config = Config::default();
    assert_eq!(set(&mut config, &[("hz", "10")]).unwrap(), []);
    let pairs = [("min-slaves-to-write", "1"), ("min-replicas-max-lag", "3")];
    assert_eq!(set(&mut config, &pairs).unwrap(), [(Apply::GoodReplicas, "min-slaves-to-write")]);
    // The same path may hold another certificate.
    assert_eq!(
        set(&mut config, &[("tls-cert-file", "")]).unwrap(),
        [(Apply::Tls, "tls-cert-file")]
    );
}

#[test]
fn a_change_can_be_undone() {
    let mut config = Config::default();
    let before = all(&config);
    let pairs: [(&[u8], &[u8]); 2] = [(b"port", b"7"), (b"maxclients", b"9")];
    let change = config.set_many(&pairs, Caller::default()).unwrap();
    assert_eq!((config.port, config.maxclients), (7, 9));
    change.undo(&mut config);
    assert_eq!(all(&config), before);
}

#[test]
fn who_may_set_what() {
    let mut config = Config::default();
    let refused = |name: &str, words: &str| {
        Err(format!("CONFIG SET failed (possibly related to argument '{name}') - {words}"))
    };
    assert_eq!(
        set(&mut config, &[("nothing", "1")]),
        Err("Unknown option or number of arguments for CONFIG SET - 'nothing'".to_owned())
    );
    assert_eq!(
        set(&mut config, &[("Databases", "1")]),
        refused("Databases", "can't set immutable config")
    );
    assert_eq!(set(&mut config, &[("dir", "/")]), refused("dir", "can't set protected config"));
    assert_eq!(
        set(&mut config, &[("timeout", "1"), ("TIMEOUT", "2")]),
        refused("TIMEOUT", "duplicate parameter")
    );
    // An older name is another parameter.
    set(&mut config, &[("replica-priority", "1"), ("slave-priority", "2")]).unwrap();
    assert_eq!(config.replica_priority, 2);

    let mut config = Config::default().set("enable-protected-configs", "local").unwrap();
    let local = Caller { local: true, loading: false };
    assert!(set_as(&mut config, &[("dir", "/")], Caller::default()).is_err());
    assert_eq!(
        set_as(&mut config, &[("dir", "/")], local).unwrap(),
        if get(&Config::default(), "dir") == "/" { vec![] } else { vec![(Apply::Dir, "dir")] }
    );
    assert_eq!(
        set_as(&mut config, &[("dir", "/missing")], local),
        refused("dir", "No such file or directory")
    );
    let pairs: [(&[u8], &[u8]); 1] = [(b"appendonly", b"yes")];
    let loading = Caller { local: true, loading: true };
    assert_eq!(config.set_many(&pairs, loading).unwrap_err(), SetError::Loading);
}

#[test]
fn patterns_name_each_directive_once() {
    let config = Config::default();
    let ends = |pattern: &[u8], name: &[u8]| name.ends_with(&pattern[1..]);
    let names = |patterns: &[&[u8]]| -> Vec<String> {
        let shown = config.get_matching(patterns, ends);
        shown.into_iter().map(|(name, _)| String::from_utf8(name).unwrap()).collect()
    };
    assert_eq!(names(&[b"*-priority"]), ["replica-priority", "slave-priority"]);
    assert_eq!(names(&[b"Slave-Priority", b"*-priority"]), ["Slave-Priority", "replica-priority"]);
    assert_eq!(names(&[b"nothing", b"port", b"PORT"]), ["port"]);
    assert_eq!(names(&[b"*load-delay"]), [""; 0], "hidden ones want their exact name");
    assert_eq!(names(&[b"key-load-delay"]), ["key-load-delay"]);
}

#[test]
fn a_file_as_people_have_them() {
    let config = load(SAMPLE).unwrap();
    assert_eq!(config.port, 7000);
    assert_eq!(get(&config, "bind"), "127.0.0.1 -::1");
    assert_eq!(
        config.save,
        [SavePoint { seconds: 900, changes: 1 }, SavePoint { seconds: 300, changes: 10 }]
    );
    assert_eq!(config.requirepass.as_deref(), Some(&b"a secret\xff"[..]));
    assert_eq!(config.masteruser.as_deref(), Some(&b"it's me"[..]));
    assert_eq!(config.maxmemory, 256 << 20);
    assert_eq!(config.maxmemory_policy, MaxmemoryPolicy::AllkeysLfu);
    assert_eq!(config.replicaof, Some(ReplicaOf { host: b"::1".to_vec(), port: 6380 }));
    assert_eq!(config.client_output_buffer_limit[OutputClass::Pubsub].soft_seconds, 90);
    assert_eq!(config.client_output_buffer_limit[OutputClass::Replica].hard_bytes, 512 << 20);
    assert_eq!(config.shutdown_on_sigterm, ShutdownFlags::SAVE | ShutdownFlags::NOW);
    assert_eq!(config.unixsocketperm, 0o700);
    assert_eq!(config.startup.rename_commands.len(), 2);
    assert_eq!(config.startup.rename_commands[1].to, b"");
    assert_eq!(config.startup.users[0].words, [&b"alice"[..], b"on", b"+@all"]);
    assert_eq!(config.startup.module_configs, [(b"bf.size".to_vec(), b"1 2".to_vec())]);
}

#[test]
fn lines_that_are_refused() {
    let cases: &[(&str, usize, &str)] = &[
        ("port 1\nport \"1", 2, "Unbalanced quotes in configuration line"),
        ("\n\n# x\nport", 4, "wrong number of arguments"),
        ("port 1 2", 1, "wrong number of arguments"),
        ("port x", 1, "argument couldn't be parsed into an integer"),
        ("bogus 1", 1, "Bad directive or wrong number of arguments"),
        ("include a b", 1, "Bad directive or wrong number of arguments"),
        ("rename-command a", 1, "Bad directive or wrong number of arguments"),
        ("loadmodule", 1, "Bad directive or wrong number of arguments"),
        ("user", 1, "Bad directive or wrong number of arguments"),
        ("mod.x", 1, "Module config specified without value"),
        ("sentinel monitor", 1, "sentinel directive while not in sentinel mode"),
        ("replicaof a", 1, "wrong number of arguments"),
        ("replicaof a 65536", 1, "Invalid master port"),
        ("replicaof a x", 1, "Invalid master port"),
        ("save 900", 1, "Invalid save parameters"),
        ("save 0 1", 1, "Invalid save parameters"),
        ("notify-keyspace-events K E", 1, "wrong number of arguments"),
        (
            "cluster-enabled yes\nreplicaof a 1",
            0,
            "replicaof directive not allowed in cluster mode",
        ),
        ("logfile /missing/log", 0, "Can't open the log file: No such file or directory"),
        ("include /missing.conf", 0, "/missing.conf: No such file or directory"),
    ];
    for (text, number, words) in cases {
        let error = load(text).map(|_| ()).unwrap_err();
        assert_eq!(error, (*number, (*words).to_owned()), "{text}");
    }
}

#[test]
fn lines_that_are_taken() {
    assert_eq!(load("PORT 1\r\nport  '2' \t\r\n").unwrap().port, 2);
    assert_eq!(get(&load("").unwrap(), "save"), "3600 1 300 100 60 10000");
    assert_eq!(get(&load("save 1 2\nsave 3 4").unwrap(), "save"), "1 2 3 4");
    assert_eq!(get(&load("save \"1 2 3 4\"").unwrap(), "save"), "1 2 3 4");
    assert_eq!(get(&load("save 1 2\nsave \"\"").unwrap(), "save"), "");
    assert_eq!(get(&load("save \"\"\nsave 1 2").unwrap(), "save"), "1 2");
    assert_eq!(get(&load("replicaof a 1\nreplicaof no one").unwrap(), "replicaof"), "");
    assert_eq!(get(&load("slaveof a 1").unwrap(), "replicaof"), "a 1");
    assert_eq!(get(&load("hz 100000").unwrap(), "hz"), "500");
    assert_eq!(get(&load("maxmemory 1gb\0garbage").unwrap(), "maxmemory"), "1073741824");
    load("list-max-ziplist-entries 1\nlua-replicate-commands yes\nsentinel\n\x0b\n").unwrap();
    let mut config = Config::default();
    let notes = config.load_text(b"cluster-enabled yes").unwrap();
    assert_eq!(config.databases, 1);
    assert_eq!(
        (notes[0].level, notes[0].text.as_str()),
        (
            LogLevel::Warning,
            "WARNING: Changing databases number from 16 to 1 since we are in cluster mode"
        )
    );
}

#[test]
fn the_block_that_blames_a_line() {
    let error = Config::default().load_text(b"\n  maxmemory  lots\t\n").unwrap_err();
    assert_eq!(
        String::from_utf8(error.report()).unwrap(),
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.6) ***\n\
         Reading the configuration file, at line 2\n\
         >>> 'maxmemory  lots'\n\
         argument must be a memory value\n"
    );
}

#[test]
fn sources_come_in_order_and_files_include_files() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    fs::create_dir(dir.path().join("conf.d")).unwrap();
    let path = dir.path().display();
    write(
        "main.conf",
        &format!("dir {path}\nport 1\nhz 11\ninclude conf.d/*.conf\ninclude no*.x\n"),
    );
    write("conf.d/1.conf", "timeout 3\ntcp-keepalive 4\n");
    write("conf.d/2.conf", "timeout 5");
    let sources = Sources {
        file: Some(dir.path().join("main.conf")),
        stdin: true,
        options: b"port 3".to_vec(),
    };
    let mut config = Config::default();
    let notes = config.load(&sources, &mut &b"port 2\nhz 12"[..]).unwrap();
    assert_eq!(notes[0].text, "Reading config from stdin");
    assert_eq!((config.port, config.hz, config.timeout, config.tcp_keepalive), (3, 12, 5, 4));
    assert_eq!(config.dir, dir.path().canonicalize().unwrap());
    assert_eq!(config.startup.config_file, sources.file);

    write("self.conf", &format!("include {path}/self.conf\ninclude {path}/self.conf\n"));
    let sources = Sources { file: Some(dir.path().join("self.conf")), ..Sources::default() };
    let error = Config::default().load(&sources, &mut empty()).unwrap_err();
    assert!(error.to_string().contains("Too many included configuration files"), "{error}");
}

#[test]
fn options_become_lines() {
    let cases: &[(&[&str], &str)] = &[
        (&["--port", "7000"], "port \"7000\" "),
        (&["--port 7000"], "port 7000 "),
        (&["--port", "7000", "--bind", "a", "b"], "port \"7000\" \nbind \"a\" \"b\" "),
        (&["--save"], "save \"\""),
        (&["--save", "--port", "1"], "save \"\"\nport \"1\" "),
        (&["--save", "", "--port", "1"], "save \"\" \nport \"1\" "),
        (&["--requirepass", "--odd", "--port", "1"], "requirepass \"--odd\" \nport \"1\" "),
        (&["--logfile", "a \"b\"\n"], "logfile \"a \\\"b\\\"\\n\" "),
        (&["-x"], "\"-x\" "),
        (&["--hz", "-", "--port", "1"], "hz \"-\" \nport \"1\" "),
        (&["--sentinel", "--port", "1"], "sentinel \nport \"1\" "),
    ];
    let read = |args: &[&str]| {
        let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        Sources::from_args(&args, Path::new("/home/me"))
    };
    for (args, options) in cases {
        let sources = read(args);
        assert_eq!(String::from_utf8(sources.options).unwrap(), *options, "{args:?}");
        assert_eq!((sources.file, sources.stdin), (None, false));
    }
    let sources = read(&["redis.conf", "--port", "1", "-"]);
    assert_eq!(sources.file.as_deref(), Some(Path::new("/home/me/redis.conf")));
    assert!(sources.stdin);
    assert!(read(&["-", "--port", "1"]).stdin);
    assert_eq!(absolute_path(b" ../../etc/x ", Path::new("/home/me")), Path::new("/etc/x"));
}

#[test]
fn rewriting_keeps_what_it_can() {
    let old = "# head\nport 1\n\n\n\nsave 1 2\nsave 3 4\nslave-read-only yes\nbogus\ninclude x\n\
               timeout 1\ntimeout 2\nuser alice on\nloadmodule x\n# tail\n";
    let config = load("port 2\nsave 5 6\nmaxmemory 3mb\ntimeout 7\ndir /\nbind \"\"").unwrap();
    let text = rewrite(old.as_bytes(), &config, Some(&[b"bob on".to_vec()]));
    assert_eq!(
        String::from_utf8(text).unwrap(),
        "# head\nport 2\n\nsave 5 6\n\nreplica-read-only yes\n# ??? bogus\ninclude x\n\
         timeout 7\n\nuser bob on\n\n# tail\n\n# Generated by CONFIG REWRITE\nbind \"\"\n\
         dir \"/\"\nmaxmemory 3mb\nlatency-tracking-info-percentiles 50 99 99.9\n"
    );
    let kept = String::from_utf8(rewrite(old.as_bytes(), &config, None)).unwrap();
    assert!(kept.contains("\nuser alice on\n"), "{kept}");
}

#[test]
fn rewriting_replaces_the_file_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("redis.conf");
    let config = load("maxmemory 5gb").unwrap();
    config.rewrite_file(&path, None).unwrap();
    let first = fs::read_to_string(&path).unwrap();
    assert!(first.starts_with("# Generated by CONFIG REWRITE\n"), "{first}");
    assert!(first.contains("\nmaxmemory 5gb\n"), "{first}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
    let error = config.rewrite_file(&dir.path().join("missing/redis.conf"), None).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn the_builder_sets_what_a_file_may_set() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::default().port(0).bind(["127.0.0.1"]).dir(dir.path()).unwrap();
    let config = config.set("cluster-enabled", "yes").unwrap();
    assert!(config.cluster_enabled && config.startup.any_port);
    assert_eq!(config.path(b"x"), dir.path().canonicalize().unwrap().join("x"));
    assert_eq!(config.path(b"/x"), Path::new("/x"));
    assert!(matches!(Config::default().set("bogus", ""), Err(SetError::Unknown(_))));
    let words: Vec<&str> = LogLevel::WORDS.iter().map(|(word, _)| *word).collect();
    assert_eq!(words, ["debug", "verbose", "notice", "warning", "nothing"]);
}

/// A directive that may be set to anything without touching the file system, and a value for it.
fn any_setting() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let names: Vec<&str> = DIRECTIVES
        .iter()
        .map(|directive| directive.name)
        .filter(|name| !matches!(*name, "dir" | "logfile"))
        .collect();
    let value = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        (0u32..200).prop_map(|n| n.to_string().into_bytes()),
        "[0-9]{1,3}(kb|mb|gb|%|k|)".prop_map(String::into_bytes),
        "(yes|no|local|everysec|always|absolute|swapdb|optional|clients)"
            .prop_map(String::into_bytes),
        "[0-9]{1,2} [0-9]{1,2}( [0-9]{1,2} [0-9]{1,2})?".prop_map(String::into_bytes),
        "[KEg$lshzxetdnmA]{0,6}".prop_map(String::into_bytes),
        proptest::collection::vec(1u8..=255, 0..12),
    ];
    (proptest::sample::select(names), value)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Config::default().load_text(&bytes).map_err(|error| error.report());
    }

    #[test]
    fn any_words_for_any_directive_are_read_without_panic(
        settings in proptest::collection::vec(any_setting(), 1..8),
        separator in prop_oneof![Just(" "), Just(" \""), Just(" '"), Just("  ")],
    ) {
        let lines: Vec<Vec<u8>> = settings
            .iter()
            .map(|(name, value)| [name.as_bytes(), separator.as_bytes(), value].concat())
            .collect();
        let _ = Config::default().load_text(&lines.join(&b'\n'));
    }

    #[test]
    fn what_is_rewritten_reads_the_same(
        settings in proptest::collection::vec(any_setting(), 1..12),
        old in "(port 1\n|save 1 1\n|# c\n|\n|hz 3\n|maxmemory 1\n|bind a b\n|x y\n){0,12}",
    ) {
        let mut config = Config::default();
        for (name, value) in &settings {
            if let Ok(changed) = config.clone().set(name, value) {
                config = changed;
            }
        }
        // A node of a cluster has its primary in another file.
        if config.cluster_enabled {
            config.replicaof = None;
            config.databases = 1;
        }
        let text = rewrite(old.as_bytes(), &config, None);
        let again = load_bytes(&text);
        for directive in DIRECTIVES {
            let (ours, theirs) = (directive.get(&config), directive.get(&again));
            // CONFIG SET takes addresses apart at blanks only, but a lone one of a file, quoted or
            // not, is read as a line of its own, as in Redis: what is no address may not survive.
            let plain = |b: &u8| b.is_ascii_graphic() && !b"\"'".contains(b);
            let survives = ours.contains(&b' ') || ours.iter().all(plain);
            if directive.name != "replicaof" && (directive.name != "bind" || survives) {
                prop_assert_eq!(ours, theirs, "{}", directive.name);
            }
        }
        // Written once more, nothing moves but the line that its end feeds.
        let twice = rewrite(&text, &again, None);
        prop_assert_eq!(rewrite(&twice, &load_bytes(&twice), None), twice);
    }
}

fn load_bytes(text: &[u8]) -> Config {
    let mut config = Config::default();
    config.load_text(text).unwrap_or_else(|error| panic!("{error}"));
    config
}

#[test]
fn flags_that_other_rooms_rely_on() {
    let flags = |name: &str| lookup(name.as_bytes()).unwrap().directive.flags;
    for name in ["requirepass", "masterauth", "masteruser"] {
        assert!(flags(name).contains(Flags::SENSITIVE), "{name}");
    }
    for name in ["dir", "dbfilename"] {
        assert!(flags(name).contains(Flags::PROTECTED), "{name}");
    }
    for name in ["port", "bind", "maxclients", "loglevel"] {
        assert!(!flags(name).contains(Flags::IMMUTABLE), "{name}");
    }
}
