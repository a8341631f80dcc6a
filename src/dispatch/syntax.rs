//! The notation in which a command's arguments are declared, and its parser. COMMAND DOCS asks
//! here; nothing that runs per command may.
//!
//! A syntax reads like the usage line of a manual, `key value [NX | XX]:condition [EX seconds |
//! KEEPTTL]:expiration`:
//!
//! - `word` in lower case is a value. Its type follows from the word (`key` is a key, `count` an
//!   integer, most are strings) unless it is annotated. A word with other characters stands in
//!   single quotes: `'ip:port'`.
//! - `WORD` in capitals is a token, and so are the signs `=`, `~`, `*`, `$` and the empty string
//!   `""`. A token right before a value or an `<…>` introduces it; any other token is an argument
//!   by itself.
//! - `<a b>` is a block of arguments, `<a | b>` a choice of one.
//! - `[a]` is optional, `[a b]` an optional block, `[a | b]` an optional choice.
//! - `a...` may be repeated. `[TOKEN a]...` repeats its token, `[TOKEN a...]` does not.
//!
//! Annotations follow an argument without a space, in any order:
//!
//! - `:integer` (string, integer, double, key, pattern, unix-time) sets the type of a value.
//! - `:name` names the argument. By default a value is named as it is written, a token as itself in
//!   lower case, a block or choice as its token, and a repeated block `data`; other blocks and
//!   choices need a name.
//! - `#1` is the key spec that finds this argument. By default keys count up: the first belongs to
//!   spec 0, the second to spec 1, and those beyond the last spec to the last.
//! - `@7.0.0` is the version that brought the argument, `!2.8.12` the one that deprecated it.

use std::borrow::Cow;

use super::command::Command;

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ArgumentType {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    PureToken,
    OneOf,
    Block,
}

impl ArgumentType {
    /// The name in COMMAND DOCS.
    pub fn name(self) -> &'static str {
        match self {
            ArgumentType::String => "string",
            ArgumentType::Integer => "integer",
            ArgumentType::Double => "double",
            ArgumentType::Key => "key",
            ArgumentType::Pattern => "pattern",
            ArgumentType::UnixTime => "unix-time",
            ArgumentType::PureToken => "pure-token",
            ArgumentType::OneOf => "oneof",
            ArgumentType::Block => "block",
        }
    }

    /// The type of a value that an annotation names.
    fn annotated(word: &str) -> Option<ArgumentType> {
        Some(match word {
            "string" => ArgumentType::String,
            "integer" => ArgumentType::Integer,
            "double" => ArgumentType::Double,
            "key" => ArgumentType::Key,
            "pattern" => ArgumentType::Pattern,
            "unix-time" => ArgumentType::UnixTime,
            _ => return None,
        })
    }

    /// The type that a value has by its word.
    fn of_value(word: &str) -> ArgumentType {
        match word {
            "key" | "key1" | "key2" | "newkey" | "destkey" | "sourcekey" | "source"
            | "destination" | "src" | "dst" => ArgumentType::Key,
            "pattern" => ArgumentType::Pattern,
            "unix-time-seconds" | "unix-time-milliseconds" => ArgumentType::UnixTime,
            "height" | "width" | "radius" | "latitude" | "longitude" | "score" | "timeout" => {
                ArgumentType::Double
            }
            "bit" | "bits" | "client-id" | "cluster-bus-port" | "config-epoch" | "count"
            | "cursor" | "db" | "decrement" | "destination-db" | "end" | "end-slot"
            | "entries-added" | "entries-read" | "frequency" | "increment" | "index" | "index1"
            | "index2" | "len" | "limit" | "milliseconds" | "min-match-len" | "ms"
            | "num-matches" | "numkeys" | "numlocal" | "numreplicas" | "offset" | "port"
            | "protover" | "rank" | "seconds" | "slot" | "start" | "start-slot" | "stop"
            | "ttl" | "version" | "weight" => ArgumentType::Integer,
            _ => ArgumentType::String,
        }
    }

    fn is_group(self) -> bool {
        matches!(self, ArgumentType::OneOf | ArgumentType::Block)
    }
}

/// One argument, as COMMAND DOCS describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: Cow<'static, str>,
    /// What it is.
    pub kind: ArgumentType,
    /// How usage lines show it. Blocks and choices have none.
    pub display: Cow<'static, str>,
    /// The token that introduces it, or that it is.
    pub token: Option<&'static str>,
    /// The key spec that finds it.
    pub key_spec: Option<usize>,
    /// The version that brought it.
    pub since: Option<&'static str>,
    /// The version that deprecated it.
    pub deprecated_since: Option<&'static str>,
    /// May be left out.
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
    /// Each repetition needs the token.
    pub multiple_token: bool,
    /// The arguments of a block, the choices of a choice.
    pub arguments: Vec<Argument>,
}

impl Argument {
    /// Names of the flags that are set.
    pub fn flag_names(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        let flags = [
            (self.optional, "optional"),
            (self.multiple, "multiple"),
            (self.multiple_token, "multiple_token"),
        ];
        flags.into_iter().filter_map(|(set, name)| set.then_some(name))
    }
}

/// What is wrong with a syntax: the reason, and the text from where it does not parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSyntax {
    /// The reason.
    pub reason: &'static str,
    /// The text that was not understood.
    pub rest: &'static str,
}

/// The arguments that a command declares.
pub fn arguments_of(command: &Command) -> Result<Vec<Argument>, BadSyntax> {
    parse(command.syntax, command.keys.len())
}

/// The arguments that `syntax` describes, for a command of `key_specs` key specs.
pub fn parse(syntax: &'static str, key_specs: usize) -> Result<Vec<Argument>, BadSyntax> {
    let mut parser = Parser { rest: syntax, key_specs, keys_seen: 0 };
    let arguments = parser.sequence()?;
    if parser.rest.is_empty() { Ok(arguments) } else { parser.fail("unexpected text") }
}

struct Parser {
    rest: &'static str,
    key_specs: usize,
    /// Key arguments so far, by which the next one finds its spec.
    keys_seen: usize,
}

/// What an argument begins with.
enum Start {
    Value(&'static str),
    Token(&'static str),
    /// `<…>`
    Group,
    /// `[…]`
    Optional,
}

impl Parser {
    fn fail<T>(&self, reason: &'static str) -> Result<T, BadSyntax> {
        Err(BadSyntax { reason, rest: self.rest })
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// The text up to the first byte that `ends` tells, or all.
    fn take_until(&mut self, ends: impl Fn(u8) -> bool) -> &'static str {
        let end = self.rest.bytes().position(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn take_word(&mut self) -> &'static str {
        self.take_until(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'-' | b'_'))
    }

    /// Arguments up to a closing bracket, a bar or the end.
    fn sequence(&mut self) -> Result<Vec<Argument>, BadSyntax> {
        let mut arguments = Vec::new();
        loop {
            self.skip_spaces();
            match self.rest.as_bytes().first() {
                None | Some(b'|' | b'>' | b']') => return Ok(arguments),
                Some(_) => arguments.push(self.argument()?),
            }
        }
    }

    fn start(&mut self) -> Result<Start, BadSyntax> {
        let Some(first) = self.rest.bytes().next() else {
            return self.fail("an argument is missing");
        };
        match first {
            b'[' | b'<' => {
                self.rest = &self.rest[1..];
                Ok(if first == b'[' { Start::Optional } else { Start::Group })
            }
            b'=' | b'~' | b'*' | b'$' => {
                let (sign, rest) = self.rest.split_at(1);
                self.rest = rest;
                Ok(Start::Token(sign))
            }
            b'"' if self.eat("\"\"") => Ok(Start::Token("")),
            b'\'' => {
                self.eat("'");
                let word = self.take_until(|b| b == b'\'');
                if self.eat("'") { Ok(Start::Value(word)) } else { self.fail("an open quote") }
            }
            b'A'..=b'Z' => Ok(Start::Token(self.take_word())),
            b'a'..=b'z' => Ok(Start::Value(self.take_word())),
            _ => self.fail("no argument begins like this"),
        }
    }

    fn argument(&mut self) -> Result<Argument, BadSyntax> {
        match self.start()? {
            Start::Value(word) => self.value(word, None),
            Start::Token(token) => self.token(token),
            Start::Group => self.group(None),
            Start::Optional => self.optional(),
        }
    }

    /// A token by itself, or the argument that it introduces.
    fn token(&mut self, token: &'static str) -> Result<Argument, BadSyntax> {
        let spaced = self.rest.strip_prefix(' ').unwrap_or("").trim_ascii_start();
        match spaced.bytes().next() {
            Some(b'a'..=b'z' | b'\'') => {
                self.rest = spaced;
                match self.start()? {
                    Start::Value(word) => self.value(word, Some(token)),
                    _ => self.fail("a value expected"),
                }
            }
            Some(b'<') => {
                self.rest = &spaced[1..];
                self.group(Some(token))
            }
            _ => {
                let name = if token.is_empty() { "empty-string".into() } else { lower(token) };
                let mut argument = plain(name.clone(), ArgumentType::PureToken, Some(token));
                argument.display = name;
                self.annotations(&mut argument)?;
                argument.display = argument.name.clone();
                Ok(argument)
            }
        }
    }

    fn value(
        &mut self,
        word: &'static str,
        token: Option<&'static str>,
    ) -> Result<Argument, BadSyntax> {
        let mut argument = plain(word.into(), ArgumentType::of_value(word), token);
        argument.display = word.into();
        self.annotations(&mut argument)?;
        if argument.kind == ArgumentType::Key {
            let last_spec = self.key_specs.checked_sub(1);
            let by_order = last_spec.map(|last| self.keys_seen.min(last));
            argument.key_spec = argument.key_spec.or(by_order);
            self.keys_seen += 1;
        }
        Ok(argument)
    }

    /// The rest of a `<…>`.
    fn group(&mut self, token: Option<&'static str>) -> Result<Argument, BadSyntax> {
        let (kind, arguments) = self.alternatives(">")?;
        let mut group = plain("".into(), kind, token);
        group.arguments = arguments;
        self.annotations(&mut group)?;
        self.name_group(group)
    }

    /// The rest of a `[…]`: its only argument, or a group of all.
    fn optional(&mut self) -> Result<Argument, BadSyntax> {
        let (kind, mut arguments) = self.alternatives("]")?;
        let mut argument = match arguments.pop() {
            Some(only) if arguments.is_empty() => only,
            Some(last) => {
                arguments.push(last);
                let mut group = plain("".into(), kind, None);
                group.arguments = arguments;
                group
            }
            None => return self.fail("empty brackets"),
        };
        let repeated = argument.multiple;
        argument.optional = true;
        self.annotations(&mut argument)?;
        argument.multiple_token |= argument.multiple && !repeated && argument.token.is_some();
        self.name_group(argument)
    }

    fn name_group(&self, mut group: Argument) -> Result<Argument, BadSyntax> {
        if group.kind.is_group() && group.name.is_empty() {
            group.name = match group.token {
                Some(token) => lower(token),
                None if group.multiple && group.kind == ArgumentType::Block => "data".into(),
                None => return self.fail("a block or choice without a name"),
            };
        }
        Ok(group)
    }

    /// What stands between brackets: the arguments of a block, or the choices between bars.
    fn alternatives(&mut self, close: &str) -> Result<(ArgumentType, Vec<Argument>), BadSyntax> {
        let mut arguments = self.sequence()?;
        let mut kind = ArgumentType::Block;
        while self.eat("|") {
            kind = ArgumentType::OneOf;
            let chosen = arguments.len();
            arguments.extend(self.sequence()?);
            if arguments.len() != chosen + 1 {
                return self.fail("a choice is one argument, or a block in <…>");
            }
        }
        if self.eat(close) { Ok((kind, arguments)) } else { self.fail("an open bracket") }
    }

    fn annotations(&mut self, argument: &mut Argument) -> Result<(), BadSyntax> {
        loop {
            if self.eat("...") {
                argument.multiple = true;
            } else if self.eat(":") {
                let word = self.take_word();
                match ArgumentType::annotated(word) {
                    Some(kind) if !argument.kind.is_group() => argument.kind = kind,
                    _ if word.is_empty() => return self.fail("a name expected"),
                    _ => argument.name = word.into(),
                }
            } else if self.eat("#") {
                let digits = self.take_word();
                let Ok(spec) = digits.parse() else {
                    return self.fail("a key spec's number expected");
                };
                argument.key_spec = Some(spec);
            } else if self.eat("@") {
                argument.since = Some(self.version()?);
            } else if self.eat("!") {
                argument.deprecated_since = Some(self.version()?);
            } else {
                return Ok(());
            }
        }
    }

    fn version(&mut self) -> Result<&'static str, BadSyntax> {
        // A version may be followed by `...`, which is not part of it.
        let digits = self.rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let version = self.rest[..digits].trim_end_matches('.');
        self.rest = &self.rest[version.len()..];
        if version.is_empty() { self.fail("a version expected") } else { Ok(version) }
    }
}

fn plain(name: Cow<'static, str>, kind: ArgumentType, token: Option<&'static str>) -> Argument {
    Argument {
        name,
        kind,
        display: "".into(),
        token,
        key_spec: None,
        since: None,
        deprecated_since: None,
        optional: false,
        multiple: false,
        multiple_token: false,
        arguments: Vec::new(),
    }
}

fn lower(token: &'static str) -> Cow<'static, str> {
    Cow::Owned(token.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(syntax: &'static str) -> Argument {
        let mut arguments = parse(syntax, 1).expect(syntax);
        assert_eq!(arguments.len(), 1, "{syntax}");
        arguments.remove(0)
    }

    #[test]
    fn values_get_their_type_from_their_word_unless_annotated() {
        let arguments = parse("key value count count:string:foo", 1).expect("parses");
        let kinds: Vec<_> = arguments.iter().map(|a| a.kind.name()).collect();
        assert_eq!(kinds, ["key", "string", "integer", "string"]);
        assert_eq!((&*arguments[3].name, &*arguments[3].display), ("foo", "count"));
        assert_eq!(&*one("'ip:port':addr").display, "ip:port");
    }

    #[test]
    fn keys_count_up_to_the_last_spec() {
        let specs = |specs| {
            let arguments = parse("source destination [STORE key#0]", specs).expect("parses");
            arguments.iter().map(|a| a.key_spec).collect::<Vec<_>>()
        };
        assert_eq!(specs(0), [None, None, Some(0)]);
        assert_eq!(specs(1), [Some(0), Some(0), Some(0)]);
        assert_eq!(specs(2), [Some(0), Some(1), Some(0)]);
    }

    #[test]
    fn a_token_introduces_the_value_or_group_after_it_and_nothing_else() {
        assert_eq!(one("EX seconds").token, Some("EX"));
        assert_eq!(one("LIMIT <offset count>").name, "limit");
        let full = one("[FULL [COUNT count]]:full-block");
        assert_eq!(full.arguments[0].kind, ArgumentType::PureToken);
        assert_eq!(full.arguments[1].token, Some("COUNT"));
        let signs = one("<= | ~:approximately | * | $ | \"\">:operator");
        let names: Vec<_> = signs.arguments.iter().map(|a| &*a.name).collect();
        assert_eq!(names, ["=", "approximately", "*", "$", "empty-string"]);
    }

    #[test]
    fn brackets_make_groups_only_of_more_than_one() {
        assert_eq!(one("[count]").kind, ArgumentType::Integer);
        assert_eq!(one("[start end]:range").kind, ArgumentType::Block);
        assert_eq!(one("[NX | XX]:condition@7.0.0").since, Some("7.0.0"));
        assert_eq!(one("<field value>...").name, "data");
    }

    #[test]
    fn repetition_repeats_the_token_only_outside_of_the_brackets() {
        let flags = |syntax| one(syntax).flag_names().collect::<Vec<_>>();
        assert_eq!(flags("[WEIGHTS weight...]"), ["optional", "multiple"]);
        assert_eq!(flags("[GET pattern]@2.0.0..."), ["optional", "multiple", "multiple_token"]);
        assert_eq!(flags("[member]..."), ["optional", "multiple"]);
    }

    #[test]
    fn nonsense_is_refused() {
        for syntax in [
            "[a",
            "a]",
            "<a b",
            "[a | b c]:x",
            "[]",
            "[a b]",
            "a:",
            "a#x",
            "a@x",
            "'a",
            "!",
            "a | b",
        ] {
            assert!(parse(syntax, 1).is_err(), "{syntax}");
        }
    }
}
