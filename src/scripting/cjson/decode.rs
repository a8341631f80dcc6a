//! JSON as Lua values. Null is a value of its own, as nil could not be kept in a table. As in Redis
//! a zero byte ends the text, and numbers may be spelled as C spells them.

use mlua::{Lua, Value};

use super::Settings;
use crate::base::limits::CJSON_DEPTH_MAX;
use crate::base::numbers::strtod;
use crate::scripting::raise::library_error;

/// The value of a text.
pub(super) fn decode(lua: &Lua, text: &[u8], settings: &Settings) -> mlua::Result<Value> {
    if let [first, second, ..] = text
        && (*first == 0 || *second == 0)
    {
        return Err(library_error(lua, "JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut decoder = Decoder { lua, settings, text, at: 0, token_at: 0, depth: 0 };
    let token = decoder.next();
    let value = decoder.value(token)?;
    match decoder.next() {
        Token::End => Ok(value),
        token => Err(decoder.unexpected("the end", &token)),
    }
}

enum Token {
    ObjectBegin,
    ObjectEnd,
    ListBegin,
    ListEnd,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Bad(&'static str),
}

impl Token {
    /// What errors call it.
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ListBegin => "T_ARR_BEGIN",
            Token::ListEnd => "T_ARR_END",
            Token::String(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Bad(words) => words,
        }
    }
}

struct Decoder<'a> {
    lua: &'a Lua,
    settings: &'a Settings,
    text: &'a [u8],
    at: usize,
    /// Where the last token began, or went wrong.
    token_at: usize,
    depth: usize,
}

impl Decoder<'_> {
    /// The byte so far ahead; zero at the end.
    fn byte(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn next(&mut self) -> Token {
        while matches!(self.byte(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.token_at = self.at;
        let single = match self.byte(0) {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ListBegin,
            b']' => Token::ListEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            0 => return Token::End,
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => {
                if !self.settings.decodes_odd_numbers && self.is_odd_number() {
                    return Token::Bad("invalid number");
                }
                return self.number();
            }
            b'f' | b'i' | b'I' | b'n' | b'N' | b't' | b'+' => return self.word(),
            _ => return Token::Bad("invalid token"),
        };
        self.at += 1;
        single
    }

    fn word(&mut self) -> Token {
        let rest = &self.text[self.at..];
        let words = [
            (&b"true"[..], Token::Boolean(true)),
            (b"false", Token::Boolean(false)),
            (b"null", Token::Null),
        ];
        for (word, token) in words {
            if rest.starts_with(word) {
                self.at += word.len();
                return token;
            }
        }
        if self.settings.decodes_odd_numbers && self.is_odd_number() {
            return self.number();
        }
        Token::Bad("invalid token")
    }

    /// A number that C knows and JSON does not: with a plus, in hex, with zeros in front, infinite.
    fn is_odd_number(&self) -> bool {
        if self.byte(0) == b'+' {
            return true;
        }
        let sign = usize::from(self.byte(0) == b'-');
        let (first, second) = (self.byte(sign), self.byte(sign + 1));
        if first == b'0' {
            return second.eq_ignore_ascii_case(&b'x') || second.is_ascii_digit();
        }
        let word = [first, second, self.byte(sign + 2)];
        word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan")
    }

    fn number(&mut self) -> Token {
        let length = number_length(&self.text[self.at..]);
        let digits = &self.text[self.at..self.at + length];
        let number = if ends_in_nan(digits) { Some(f64::NAN) } else { strtod(digits) };
        match number {
            Some(n) if length > 0 => {
                self.at += length;
                Token::Number(n)
            }
            _ => Token::Bad("invalid number"),
        }
    }

    fn bad(&mut self, words: &'static str) -> Token {
        self.token_at = self.at;
        Token::Bad(words)
    }

    fn string(&mut self) -> Token {
        self.at += 1;
        let mut string = Vec::new();
        loop {
            match self.byte(0) {
                b'"' => break,
                0 => return self.bad("unexpected end of string"),
                b'\\' => {
                    let plain = match self.byte(1) {
                        byte @ (b'"' | b'\\' | b'/') => byte,
                        b'b' => 0x08,
                        b't' => b'\t',
                        b'n' => b'\n',
                        b'f' => 0x0c,
                        b'r' => b'\r',
                        b'u' => match self.code_point() {
                            Some(point) => {
                                push_utf8(&mut string, point);
                                continue;
                            }
                            None => return self.bad("invalid unicode escape code"),
                        },
                        _ => return self.bad("invalid escape code"),
                    };
                    string.push(plain);
                    self.at += 2;
                }
                byte => {
                    string.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        Token::String(string)
    }

    /// The code point of an escape, or of two that are a pair of surrogates.
    fn code_point(&mut self) -> Option<u32> {
        let high = self.hex4(2)?;
        if high & 0xf800 != 0xd800 {
            self.at += 6;
            return Some(high);
        }
        if high & 0x400 != 0 || self.byte(6) != b'\\' || self.byte(7) != b'u' {
            return None;
        }
        let low = self.hex4(8)?;
        if low & 0xfc00 != 0xdc00 {
            return None;
        }
        self.at += 12;
        Some(((high & 0x3ff) << 10 | low & 0x3ff) + 0x1_0000)
    }

    fn hex4(&self, ahead: usize) -> Option<u32> {
        (0..4)
            .try_fold(0, |sum, at| Some(sum << 4 | char::from(self.byte(ahead + at)).to_digit(16)?))
    }

    fn unexpected(&self, wanted: &str, found: &Token) -> mlua::Error {
        let (found, at) = (found.name(), self.token_at + 1);
        let words = format!("Expected {wanted} but found {found} at character {at}");
        library_error(self.lua, words)
    }

    fn descend(&mut self) -> mlua::Result<()> {
        self.depth += 1;
        let max = self.settings.decode_depth_max.min(CJSON_DEPTH_MAX as i64);
        if self.depth as i64 <= max {
            return Ok(());
        }
        let (depth, at) = (self.depth, self.at);
        let words = format!("Found too many nested data structures ({depth}) at character {at}");
        Err(library_error(self.lua, words))
    }

    fn value(&mut self, token: Token) -> mlua::Result<Value> {
        Ok(match token {
            Token::String(text) => Value::String(self.lua.create_string(text)?),
            Token::Number(n) => Value::Number(n),
            Token::Boolean(value) => Value::Boolean(value),
            Token::Null => Value::NULL,
            Token::ObjectBegin => self.object()?,
            Token::ListBegin => self.list()?,
            token => return Err(self.unexpected("value", &token)),
        })
    }

    fn object(&mut self) -> mlua::Result<Value> {
        self.descend()?;
        let table = self.lua.create_table()?;
        let mut token = self.next();
        while !matches!(token, Token::ObjectEnd) {
            let Token::String(name) = token else {
                return Err(self.unexpected("object key string", &token));
            };
            match self.next() {
                Token::Colon => {}
                token => return Err(self.unexpected("colon", &token)),
            }
            token = self.next();
            let value = self.value(token)?;
            table.raw_set(self.lua.create_string(name)?, value)?;
            match self.next() {
                Token::ObjectEnd => break,
                Token::Comma => token = self.next(),
                token => return Err(self.unexpected("comma or object end", &token)),
            }
            if matches!(token, Token::ObjectEnd) {
                return Err(self.unexpected("object key string", &token));
            }
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }

    fn list(&mut self) -> mlua::Result<Value> {
        self.descend()?;
        let table = self.lua.create_table()?;
        let mut token = self.next();
        if !matches!(token, Token::ListEnd) {
            for index in 1.. {
                let value = self.value(token)?;
                table.raw_set(index, value)?;
                match self.next() {
                    Token::ListEnd => break,
                    Token::Comma => token = self.next(),
                    token => return Err(self.unexpected("comma or array end", &token)),
                }
            }
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }
}

fn ends_in_nan(digits: &[u8]) -> bool {
    digits.len() >= 3 && digits[digits.len() - 3..].eq_ignore_ascii_case(b"nan")
}

/// How long the number is that a text begins with, as C's `strtod` reads it.
fn number_length(text: &[u8]) -> usize {
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let rest = &text[sign..];
    for word in ["infinity", "inf", "nan"] {
        if rest.get(..word.len()).is_some_and(|r| r.eq_ignore_ascii_case(word.as_bytes())) {
            return sign + word.len();
        }
    }
    let hex = rest.get(..2).is_some_and(|r| r.eq_ignore_ascii_case(b"0x"))
        && rest.get(2).is_some_and(u8::is_ascii_hexdigit);
    let is_digit = |b: &u8| if hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() };
    let mut at = if hex { 2 } else { 0 };
    let digits = |at: usize| rest[at..].iter().take_while(|b| is_digit(b)).count();
    let whole = digits(at);
    at += whole;
    let mut fraction = 0;
    if rest.get(at) == Some(&b'.') {
        fraction = digits(at + 1);
        if whole + fraction > 0 {
            at += 1 + fraction;
        }
    }
    if whole + fraction == 0 {
        return 0;
    }
    let marks = if hex { b"pP" } else { b"eE" };
    if rest.get(at).is_some_and(|b| marks.contains(b)) {
        let signed = usize::from(matches!(rest.get(at + 1), Some(b'+' | b'-')));
        let exponent = rest[(at + 1 + signed).min(rest.len())..].iter();
        let exponent = exponent.take_while(|b| b.is_ascii_digit()).count();
        if exponent > 0 {
            at += 1 + signed + exponent;
        }
    }
    sign + at
}

/// Surrogates that stand alone were refused before.
fn push_utf8(out: &mut Vec<u8>, point: u32) {
    if let Some(character) = char::from_u32(point) {
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_c_ends_them() {
        for (text, length) in [
            ("1", 1),
            ("-1.5e3,", 6),
            ("1e", 1),
            ("1e+", 1),
            ("1.", 2),
            (".5", 2),
            (".", 0),
            ("-", 0),
            ("0x1F}", 4),
            ("0x", 1),
            ("infinite", 3),
            ("-Infinity1", 9),
            ("nano", 3),
            ("", 0),
        ] {
            assert_eq!(number_length(text.as_bytes()), length, "{text}");
        }
    }
}
