//! What can go wrong with a command, named by cause. The words of every error that more than one
//! place raises stand in this file, and nowhere else.

use std::borrow::Cow;
use std::fmt;

/// What whoever needs replication is told.
pub const NO_REPLICATION: &str = "Replication is not available on this node";

/// Why a command was refused. `Display` gives the line as it goes on the wire, code first, without
/// the `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The key holds another type than the command works on.
    WrongType,
    /// An argument is no integer, or none that fits 64 bits.
    NotAnInteger,
    /// An argument is no finite float.
    NotAFloat,
    /// The options do not fit together or are unknown.
    Syntax,
    /// COPY, RENAME and others: the source key does not exist.
    NoSuchKey,
    /// An index lies outside of the value.
    IndexOutOfRange,
    /// A count or another number lies outside of its range.
    ValueOutOfRange,
    /// INCR and DECR left the range of 64-bit integers.
    Overflow,
    /// INCRBYFLOAT produced NaN or an infinity.
    FloatOverflow,
    /// A string would grow past proto-max-bulk-len.
    StringTooLong,
    /// An expiry that overflows or is not positive; the command's name in lower case.
    InvalidExpire(Cow<'static, str>),
    /// A database index outside of the range.
    DbIndexOutOfRange,
    /// A database index that is no integer.
    InvalidDbIndex,
    /// The source and destination are the same object.
    SameObject,
    /// Too few or too many arguments; the command's full name (`config|get`).
    WrongArity(Cow<'static, str>),
    /// Authentication is required.
    NoAuth,
    /// Authentication failed.
    WrongPass,
    /// Too much memory in use for a command that may grow it.
    OutOfMemory,
    /// EXEC of a transaction that had an error while it was queued.
    ExecAbort,
    /// An internal debugging or admin command that the configuration does not allow; its name.
    NotAllowed(Cow<'static, str>),
    /// A timeout argument is no integer (or float), or negative.
    TimeoutNotAnInteger,
    /// A timeout is negative.
    TimeoutNegative,
    /// CLIENT UNBLOCK ended a wait.
    Unblocked,
    /// A timeout that ends after the end of time.
    TimeoutOutOfRange,
    /// Another node of the cluster serves the slot.
    Moved(Redirect),
    /// Another node of the cluster is getting the slot, and may have the keys already.
    Ask(Redirect),
    /// The keys of a request are in several slots.
    CrossSlot,
    /// Some keys of a request are here and some are not, because their slot is being moved.
    TryAgain,
    /// The cluster does not serve.
    ClusterDown,
    /// The cluster serves nothing but reads.
    ClusterDownReadOnly,
    /// Nobody serves the slot.
    SlotNotServed,
    /// CLUSTER and its kin on a node that is not in cluster mode.
    ClusterDisabled,
    /// A script runs for too long.
    BusyScript,
    /// A function runs for too long.
    BusyFunction,
    /// There is no script of that name.
    NoScript,
    /// Writes want more replicas than there are.
    NoReplicas,
    /// Snapshots fail, so that changes could not be kept.
    CannotSave,
    /// A snapshot is being loaded.
    Loading,
    /// SYNC of a replica, and whatever else needs replication.
    NoReplication,
    /// Any other line in Redis's words, its code first ("ERR …").
    Custom(Cow<'static, str>),
}

/// Where a client is to send its request instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The slot of its keys.
    pub slot: u16,
    /// The host; empty for the one that the client is connected to.
    pub endpoint: Box<str>,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{}", self.slot, self.endpoint, self.port)
    }
}

impl Error {
    /// An error of code ERR whose words only one place uses.
    pub fn err(words: impl fmt::Display) -> Self {
        Error::Custom(Cow::Owned(format!("ERR {words}")))
    }

    /// An unknown subcommand, as Redis's `commandCheckExistence` words it.
    pub fn unknown_subcommand(command: &str, subcommand: &[u8]) -> Self {
        let shown = String::from_utf8_lossy(&subcommand[..subcommand.len().min(128)]);
        let upper = command.to_uppercase();
        Error::err(format_args!("unknown subcommand '{shown}'. Try {upper} HELP."))
    }

    /// Arguments that no form of a subcommand has, as Redis's `addReplySubcommandSyntaxError`
    /// words it in a handler.
    pub fn subcommand_syntax(command: &str, subcommand: &[u8]) -> Self {
        let shown = String::from_utf8_lossy(&subcommand[..subcommand.len().min(128)]);
        let upper = command.to_uppercase();
        Error::err(format_args!(
            "unknown subcommand or wrong number of arguments for '{shown}'. Try {upper} HELP."
        ))
    }

    /// Sends the client elsewhere, or says why the cluster serves its keys nowhere.
    pub fn is_routing(&self) -> bool {
        matches!(
            self,
            Error::Moved(_)
                | Error::Ask(_)
                | Error::CrossSlot
                | Error::TryAgain
                | Error::ClusterDown
                | Error::ClusterDownReadOnly
                | Error::SlotNotServed
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            Error::NotAnInteger => "ERR value is not an integer or out of range",
            Error::NotAFloat => "ERR value is not a valid float",
            Error::Syntax => "ERR syntax error",
            Error::NoSuchKey => "ERR no such key",
            Error::IndexOutOfRange => "ERR index out of range",
            Error::ValueOutOfRange => "ERR value is out of range",
            Error::Overflow => "ERR increment or decrement would overflow",
            Error::FloatOverflow => "ERR increment would produce NaN or Infinity",
            Error::StringTooLong => "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            Error::DbIndexOutOfRange => "ERR DB index is out of range",
            Error::InvalidDbIndex => "ERR invalid DB index",
            Error::SameObject => "ERR source and destination objects are the same",
            Error::NoAuth => "NOAUTH Authentication required.",
            Error::WrongPass => "WRONGPASS invalid username-password pair or user is disabled.",
            Error::OutOfMemory => "OOM command not allowed when used memory > 'maxmemory'.",
            Error::ExecAbort => "EXECABORT Transaction discarded because of previous errors.",
            Error::TimeoutNotAnInteger => "ERR timeout is not an integer or out of range",
            Error::TimeoutNegative => "ERR timeout is negative",
            Error::Unblocked => "UNBLOCKED client unblocked via CLIENT UNBLOCK",
            Error::TimeoutOutOfRange => "ERR timeout is out of range",
            Error::CrossSlot => "CROSSSLOT Keys in request don't hash to the same slot",
            Error::TryAgain => "TRYAGAIN Multiple keys request during rehashing of slot",
            Error::ClusterDown => "CLUSTERDOWN The cluster is down",
            Error::ClusterDownReadOnly => {
                "CLUSTERDOWN The cluster is down and only accepts read commands"
            }
            Error::SlotNotServed => "CLUSTERDOWN Hash slot not served",
            Error::BusyScript => {
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN \
                 NOSAVE."
            }
            Error::BusyFunction => {
                "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN \
                 NOSAVE."
            }
            Error::NoScript => "NOSCRIPT No matching script. Please use EVAL.",
            Error::NoReplicas => "NOREPLICAS Not enough good replicas to write.",
            Error::CannotSave => {
                "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to \
                 persist to disk. Commands that may modify the data set are disabled, because \
                 this instance is configured to report errors during writes if RDB snapshotting \
                 fails (stop-writes-on-bgsave-error option). Please check the Redis logs for \
                 details about the RDB error."
            }
            Error::Loading => "LOADING Redis is loading the dataset in memory",
            Error::NoReplication => return write!(f, "ERR {NO_REPLICATION}"),
            Error::ClusterDisabled => "ERR This instance has cluster support disabled",
            Error::Moved(to) => return write!(f, "MOVED {to}"),
            Error::Ask(to) => return write!(f, "ASK {to}"),
            Error::InvalidExpire(command) => {
                return write!(f, "ERR invalid expire time in '{command}' command");
            }
            Error::WrongArity(command) => {
                return write!(f, "ERR wrong number of arguments for '{command}' command");
            }
            Error::NotAllowed(command) => {
                let option = command.to_lowercase();
                return write!(
                    f,
                    "ERR {command} command not allowed. If the enable-{option}-command option is \
                     set to \"local\", you can run it from a local connection, otherwise you need \
                     to set this option in the configuration file, and then restart the server."
                );
            }
            Error::Custom(line) => return f.write_str(line),
        })
    }
}

impl std::error::Error for Error {}
