//! Quoting: how a line is split into arguments (inline requests, configuration files, `redis-cli`
//! style input), and how arbitrary bytes are shown on one printable line (MONITOR, SLOWLOG, logs,
//! configuration rewrites). The two are inverse: what [`repr`] shows, [`split_args`] reads back.
//!
//! Must never fail on any byte sequence other than by saying that its quotes do not balance.

/// A quote was left open, or is followed directly by something other than a blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnbalancedQuotes;

/// Splits `line` at blanks, honouring quotes. `None` when quotes do not balance.
///
/// Within double quotes `\n \r \t \b \a` and `\xHH` are understood, any other escaped byte stands
/// for itself; within single quotes only `\'` is an escape. A zero byte ends the line.
pub fn split_args(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Words::new(line);
    let mut args = Vec::new();
    loop {
        let mut arg = Vec::new();
        match words.next_into(&mut arg) {
            Ok(true) => args.push(arg),
            Ok(false) => return Some(args),
            Err(UnbalancedQuotes) => return None,
        }
    }
}

/// The words of one line, unquoted one at a time into a buffer of the caller's.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    /// What was not read yet.
    rest: &'a [u8],
}

/// What encloses the bytes being read.
#[derive(Clone, Copy)]
enum Quote {
    Bare,
    Double,
    Single,
}

impl<'a> Words<'a> {
    /// Starts at the beginning of `line`.
    pub fn new(line: &'a [u8]) -> Self {
        let end = memchr::memchr(0, line).unwrap_or(line.len());
        Words { rest: &line[..end] }
    }

    /// Appends the next word to `out`. `Ok(false)` when the line has no further word.
    pub fn next_into(&mut self, out: &mut Vec<u8>) -> Result<bool, UnbalancedQuotes> {
        let blanks = self.rest.iter().take_while(|b| is_space(**b)).count();
        self.rest = &self.rest[blanks..];
        if self.rest.is_empty() {
            return Ok(false);
        }
        let mut quote = Quote::Bare;
        loop {
            let read = match quote {
                Quote::Bare => self.bare(out, &mut quote),
                Quote::Double => self.double_quoted(out)?,
                Quote::Single => self.single_quoted(out)?,
            };
            if let Read::WordEnd = read {
                return Ok(true);
            }
        }
    }

    /// One byte outside of quotes. Vertical tabs and form feeds separate words, but do not end one,
    /// as in Redis's `sdssplitargs`.
    fn bare(&mut self, out: &mut Vec<u8>, quote: &mut Quote) -> Read {
        let Some((&byte, rest)) = self.rest.split_first() else { return Read::WordEnd };
        self.rest = rest;
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => return Read::WordEnd,
            b'"' => *quote = Quote::Double,
            b'\'' => *quote = Quote::Single,
            other => out.push(other),
        }
        Read::Byte
    }

    fn double_quoted(&mut self, out: &mut Vec<u8>) -> Result<Read, UnbalancedQuotes> {
        let (byte, used) = match *self.rest {
            [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (hex_digit(high) << 4 | hex_digit(low), 4)
            }
            [b'\\', escaped, ..] => (unescaped(escaped), 2),
            [b'"', ..] => return self.closing_quote(),
            [plain, ..] => (plain, 1),
            [] => return Err(UnbalancedQuotes),
        };
        out.push(byte);
        self.rest = &self.rest[used..];
        Ok(Read::Byte)
    }

    fn single_quoted(&mut self, out: &mut Vec<u8>) -> Result<Read, UnbalancedQuotes> {
        let (byte, used) = match *self.rest {
            [b'\\', b'\'', ..] => (b'\'', 2),
            [b'\'', ..] => return self.closing_quote(),
            [plain, ..] => (plain, 1),
            [] => return Err(UnbalancedQuotes),
        };
        out.push(byte);
        self.rest = &self.rest[used..];
        Ok(Read::Byte)
    }

    fn closing_quote(&mut self) -> Result<Read, UnbalancedQuotes> {
        self.rest = &self.rest[1..];
        match self.rest.first() {
            Some(next) if !is_space(*next) => Err(UnbalancedQuotes),
            _ => Ok(Read::WordEnd),
        }
    }
}

enum Read {
    Byte,
    WordEnd,
}

/// `isspace` of the C locale.
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

fn unescaped(escaped: u8) -> u8 {
    match escaped {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

/// `bytes` in double quotes on one printable ASCII line, as Redis's `sdscatrepr` shows them.
pub fn repr(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    repr_into(&mut out, bytes);
    out
}

/// Appends what [`repr`] returns.
pub fn repr_into(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => {
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                out.extend_from_slice(b"\\x");
                out.extend_from_slice(&digits);
            }
        }
    }
    out.push(b'"');
}

/// The bytes of which this is the hexadecimal form; blanks and a lone `-`, which shows that there
/// are none, do not count.
#[cfg(test)]
pub fn from_hex(text: &str) -> Vec<u8> {
    let is_digit = |c: &char| !matches!(c, ' ' | '-');
    let digits = text.chars().filter(is_digit).map(|c| c.to_digit(16).expect("hexadecimal digits"));
    let digits: Vec<u32> = digits.collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(line: &[u8]) -> Option<Vec<String>> {
        let shown = |arg: &Vec<u8>| String::from_utf8_lossy(arg).into_owned();
        Some(split_args(line)?.iter().map(shown).collect())
    }

    #[test]
    fn words_are_split_at_blanks() {
        assert_eq!(split(b"").unwrap(), Vec::<String>::new());
        assert_eq!(split(b" \t\r\n\x0b\x0c").unwrap(), Vec::<String>::new());
        assert_eq!(split(b"  set key\tvalue\r\n").unwrap(), ["set", "key", "value"]);
        assert_eq!(split(b"a\x0bb").unwrap(), ["a\x0bb"]);
        assert_eq!(split(b"get a\0b c").unwrap(), ["get", "a"]);
    }

    #[test]
    fn quotes_may_start_within_a_word_and_must_end_it() {
        assert_eq!(split(b"a\"b c\" d").unwrap(), ["ab c", "d"]);
        assert_eq!(split(b"\"\" ''").unwrap(), ["", ""]);
        assert_eq!(split(b"\"a\"b"), None);
        assert_eq!(split(b"'a'b"), None);
        assert_eq!(split(b"\"a"), None);
        assert_eq!(split(b"'a"), None);
        assert_eq!(split(b"\"a\\"), None);
        assert_eq!(split(b"'a\\'"), None);
        assert_eq!(split(b"\"a\"\x0bb").unwrap(), ["a", "b"]);
    }

    #[test]
    fn escapes_depend_on_the_quotes() {
        assert_eq!(
            split_args(b"\"\\x00\\xfF\\n\\r\\t\\b\\a\\q\\\"\\\\\"").unwrap(),
            [b"\0\xff\n\r\t\x08\x07q\"\\".to_vec()]
        );
        assert_eq!(split(b"\"\\xg1 \\x1\"").unwrap(), ["xg1 x1"]);
        assert_eq!(split(b"'\\n\\' \"'").unwrap(), ["\\n' \""]);
        assert_eq!(split(b"a\\nb").unwrap(), ["a\\nb"]);
    }

    #[test]
    fn repr_is_printable() {
        assert_eq!(repr(b"a\"b\\\n\r\t\x07\x08\0\x7f\xff "), br#""a\"b\\\n\r\t\a\b\x00\x7f\xff ""#);
    }

    proptest! {
        #[test]
        fn repr_is_read_back(
            args in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..5),
        ) {
            let mut line = Vec::new();
            for arg in &args {
                repr_into(&mut line, arg);
                line.push(b' ');
            }
            prop_assert!(line.iter().all(|b| (b' '..=b'~').contains(b)));
            prop_assert_eq!(split_args(&line), Some(args));
        }

        #[test]
        fn splitting_never_panics(line in "[\"'\\\\ xa0n\0\t]{0,30}") {
            let _ = split_args(line.as_bytes());
        }
    }
}
