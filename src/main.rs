//! The program: its name, its own options, the configuration, the log, then a node until it ends.
//! Everything a node does is in the library; this file decides only how the process starts and with
//! which code it ends.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::ExitCode;

use redis_rust::base::clock;
use redis_rust::config::version::{self, ARCH_BITS, GIT_DIRTY, GIT_SHA1, REDIS_VERSION};
use redis_rust::config::{Config, LoadError, Note, Sources, absolute_path};
use redis_rust::node::{Server, logging, process};

const USAGE: &str = "\
Usage: redis-rust [FILE] [--directive value ...]... [-]
       redis-rust -v | --version
       redis-rust -h | --help

FILE is a configuration file in the format of redis.conf. Directives given as options win over
it, and - in first or last place reads more lines from the standard input.

Examples:
       redis-rust /etc/redis/6379.conf --loglevel verbose
       redis-rust --port 7777 --save \"\" --replicaof 127.0.0.1 8888
       echo 'maxmemory 128mb' | redis-rust -
";

/// The program that this one is when it is called by its name.
const CHECK_RDB: &str = "redis-check-rdb";
/// Other programs of Redis that share its binary, and what to say when this one is called by their
/// name.
const OTHER_PROGRAMS: [(&str, &str); 2] = [
    ("redis-check-aof", "checking append only files is not supported"),
    ("redis-sentinel", SENTINEL),
];
const SENTINEL: &str = "Sentinel mode is not supported";

fn main() -> ExitCode {
    let argv: Vec<Vec<u8>> = env::args_os().map(OsStringExt::into_vec).collect();
    match prepare(&argv).and_then(|config| serve(config, &argv)) {
        Ok(code) => code,
        Err(code) => code,
    }
}

/// Up to a configuration, or the code to end with.
fn prepare(argv: &[Vec<u8>]) -> Result<Config, ExitCode> {
    other_programs(argv)?;
    let args = argv.get(1..).unwrap_or_default();
    own_option(args)?;
    let cwd = env::current_dir().unwrap_or_default();
    let mut config = Config::default();
    config.startup.executable = absolute_path(program(argv), &cwd);
    config.startup.argv = argv.to_vec();
    match config.load(&Sources::from_args(args, &cwd), &mut io::stdin().lock()) {
        Ok(notes) => {
            start_log(&config, &notes);
            Ok(config)
        }
        Err(error) => Err(refuse(&error)),
    }
}

fn program(argv: &[Vec<u8>]) -> &[u8] {
    argv.first().map_or(b"redis-server", Vec::as_slice)
}

fn fail(words: &str) -> ExitCode {
    eprintln!("{words}");
    ExitCode::FAILURE
}

/// Whether the program is one of the others, by its name: then it has an end of its own.
fn other_programs(argv: &[Vec<u8>]) -> Result<(), ExitCode> {
    let name = Path::new(OsStr::from_bytes(program(argv))).file_name();
    let name = name.unwrap_or_default().to_string_lossy();
    if name.contains(CHECK_RDB) {
        return Err(check_rdb(argv));
    }
    if let Some((other, words)) = OTHER_PROGRAMS.iter().find(|(other, _)| name.contains(other)) {
        return Err(fail(&format!("{other}: {words}")));
    }
    if argv.iter().skip(1).any(|arg| arg == b"--sentinel") {
        return Err(fail(SENTINEL));
    }
    Ok(())
}

/// What `redis-check-rdb` does.
fn check_rdb(argv: &[Vec<u8>]) -> ExitCode {
    let [_, file] = argv else {
        let program = String::from_utf8_lossy(program(argv));
        return fail(&format!("Usage: {program} <rdb-file-name>"));
    };
    if file == b"-v" || file == b"--version" {
        println!("{CHECK_RDB} {REDIS_VERSION}");
        return ExitCode::SUCCESS;
    }
    let name = String::from_utf8_lossy(file);
    let opened = File::open(OsStr::from_bytes(file));
    let now_ms = clock::unix_us() / 1000;
    let out = io::BufWriter::new(io::stdout().lock());
    match redis_rust::persistence::check_rdb::check(&name, opened, now_ms as i64, out) {
        Ok(true) => ExitCode::SUCCESS,
        // Nobody may be reading, which is no success.
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

/// The program's own options count only in first place; all others are directives.
fn own_option(args: &[Vec<u8>]) -> Result<(), ExitCode> {
    let Some(first) = args.first().filter(|arg| arg.starts_with(b"-")) else { return Ok(()) };
    let mut options = getopts::Options::new();
    options
        .optflag("v", "version", "print the version")
        .optflag("h", "help", "print how to call the program")
        .optflag("", "test-memory", "test memory")
        .optflag("", "check-system", "check the system's settings");
    // What getopts does not know is a directive, or a mistake that reading directives will find.
    let Ok(given) = options.parse([OsStr::from_bytes(first)]) else { return Ok(()) };
    if given.opt_present("version") {
        println!("{}", version::version_line());
        return Err(ExitCode::SUCCESS);
    }
    if given.opt_present("help") {
        eprint!("{USAGE}");
        return Err(ExitCode::FAILURE);
    }
    for unsupported in ["test-memory", "check-system"] {
        if given.opt_present(unsupported) {
            return Err(fail(&format!("--{unsupported} is not supported")));
        }
    }
    Ok(())
}

fn start_log(config: &Config, notes: &[Note]) {
    logging::init(config);
    notes.iter().for_each(logging::note);
}

/// Says why the configuration is refused: a missing file in the log, a wrong line as it is.
fn refuse(error: &LoadError) -> ExitCode {
    match error {
        LoadError::File { .. } => {
            start_log(&Config::default(), &[]);
            log::warn!("{}", String::from_utf8_lossy(&error.report()));
        }
        LoadError::Directive { .. } => {
            // There is no one else to tell.
            let _ = io::stderr().write_all(&error.report());
        }
    }
    ExitCode::FAILURE
}

/// From the configuration to the end.
fn serve(config: Config, argv: &[Vec<u8>]) -> Result<ExitCode, ExitCode> {
    go_to_background(&config)?;
    announce_start(argv);
    refuse_modules(&config)?;
    refuse_users(&config)?;
    // Core dumps and whatever the system writes go where the data are.
    let _ = env::set_current_dir(&config.dir);
    if config.disable_thp {
        process::disable_huge_pages();
    }
    logging::set_main_process();
    let pid_file = process::PidFile::of(&config);
    let server =
        Server::bind(config).and_then(Server::handle_signals).map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<LoadError>()) {
                Some(error) => refuse(error),
                None => {
                    log::warn!("{error}");
                    ExitCode::FAILURE
                }
            }
        })?;
    pid_file.create();
    let ended = server.run();
    pid_file.remove();
    match ended {
        Ok(code) => Ok(ExitCode::from(u8::try_from(code).unwrap_or(1))),
        Err(error) => {
            log::warn!("{error}");
            Err(ExitCode::FAILURE)
        }
    }
}

fn go_to_background(config: &Config) -> Result<(), ExitCode> {
    let supervised = process::supervised(config);
    if config.daemonize && !supervised {
        process::daemonize().map_err(|error| {
            log::warn!("Can't go to the background: {error}");
            ExitCode::FAILURE
        })?;
    }
    Ok(())
}

fn announce_start(argv: &[Vec<u8>]) {
    log::info!("oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
    log::info!(
        "Redis version={REDIS_VERSION}, bits={ARCH_BITS}, commit={GIT_SHA1}, modified={}, pid={}, \
         just started",
        u8::from(GIT_DIRTY),
        std::process::id()
    );
    if argv.len() <= 1 {
        let program = String::from_utf8_lossy(program(argv));
        log::warn!(
            "Warning: no config file specified, using the default config. In order to specify a \
             config file use {program} /path/to/redis.conf"
        );
    } else {
        log::info!("Configuration loaded");
    }
}

/// There are no modules: a configuration that needs one must not seem to work.
fn refuse_modules(config: &Config) -> Result<(), ExitCode> {
    if let Some(path) = config.startup.load_modules.first().and_then(|words| words.first()) {
        let path = String::from_utf8_lossy(path);
        log::warn!("Can't load module from {path}: server aborting");
        return Err(ExitCode::FAILURE);
    }
    if !config.startup.module_configs.is_empty() {
        log::warn!(
            "Module Configuration detected without loadmodule directive or no ApplyConfig call: \
             aborting"
        );
        return Err(ExitCode::FAILURE);
    }
    Ok(())
}

/// Rules of users cannot be kept: a configuration that relies on them must not seem to work.
fn refuse_users(config: &Config) -> Result<(), ExitCode> {
    if let Some(user) = config.startup.users.first() {
        return Err(refuse(&LoadError::at(&user.line, "Users with rules are not supported")));
    }
    if !config.aclfile.is_empty() {
        log::warn!("Users with rules are not supported: aclfile must be empty. Aborting");
        return Err(ExitCode::FAILURE);
    }
    Ok(())
}
