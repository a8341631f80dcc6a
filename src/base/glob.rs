//! Glob-style patterns as KEYS, SCAN, PSUBSCRIBE, CONFIG GET and ACL rules match them (Redis:
//! `stringmatchlen`). Works on bytes, without recursion, in at most pattern times text steps.

/// Stars that a match may go through, besides one at the pattern's end, before it is given up.
const STARS_MAX: u32 = 1000;

/// Whether the whole of `text` matches `pattern`: `*`, `?`, `[abc]`, `[^a-z]`, and `\` before a
/// byte that stands for itself. As in Redis, the empty text matches the empty pattern only, not
/// `*`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    search(pattern, text, Case::Sensitive)
}

/// [`matches`] without regard to the case of ASCII letters.
pub fn matches_nocase(pattern: &[u8], text: &[u8]) -> bool {
    search(pattern, text, Case::Ignored)
}

#[derive(Clone, Copy, PartialEq)]
enum Case {
    Sensitive,
    Ignored,
}

impl Case {
    fn fold(self, byte: u8) -> u8 {
        match self {
            Case::Sensitive => byte,
            Case::Ignored => byte.to_ascii_lowercase(),
        }
    }

    fn equal(self, a: u8, b: u8) -> bool {
        self.fold(a) == self.fold(b)
    }
}

fn search(mut pattern: &[u8], mut text: &[u8], case: Case) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    // Behind the last star: what must match there, and the text from where it was tried last. Stars
    // before that one need no second try, since what they could leave to it is less text.
    let mut retry: Option<(&[u8], &[u8])> = None;
    let mut stars = 0;
    loop {
        if let [b'*', ..] = pattern {
            pattern = after_stars(pattern);
            if pattern.is_empty() {
                return true;
            }
            stars += 1;
            if stars > STARS_MAX {
                return false;
            }
            retry = Some((pattern, text));
        }
        match (match_byte(pattern, text[0], case), retry) {
            (Some(rest), _) => {
                pattern = rest;
                text = &text[1..];
            }
            (None, None) => return false,
            (None, Some((behind_star, tried))) => {
                pattern = behind_star;
                text = &tried[1..];
                retry = Some((pattern, text));
            }
        }
        if text.is_empty() {
            return after_stars(pattern).is_empty();
        }
    }
}

fn after_stars(pattern: &[u8]) -> &[u8] {
    &pattern[pattern.iter().take_while(|b| **b == b'*').count()..]
}

/// The pattern behind what `byte` matches; `None` when it does not match, or the pattern has ended.
fn match_byte(pattern: &[u8], byte: u8, case: Case) -> Option<&[u8]> {
    match pattern {
        [] => None,
        [b'?', rest @ ..] => Some(rest),
        [b'[', class @ ..] => match_class(class, byte, case),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => {
            case.equal(*literal, byte).then_some(rest)
        }
    }
}

/// Matches the class that starts behind its `[`. A class without `]` extends to the pattern's end.
fn match_class(class: &[u8], byte: u8, case: Case) -> Option<&[u8]> {
    let (negated, mut class) = match class {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, class),
    };
    let mut found = false;
    loop {
        class = match class {
            [] => break,
            [b']', rest @ ..] => {
                class = rest;
                break;
            }
            // An escaped byte keeps its case, even where case is ignored.
            [b'\\', literal, rest @ ..] => {
                found |= *literal == byte;
                rest
            }
            [from, b'-', to, rest @ ..] => {
                found |= in_range(*from, *to, byte, case);
                rest
            }
            [literal, rest @ ..] => {
                found |= case.equal(*literal, byte);
                rest
            }
        };
    }
    (found != negated).then_some(class)
}

/// Ranges may be given backwards. Bytes compare as C's `char` on x86 does: signed.
fn in_range(from: u8, to: u8, byte: u8, case: Case) -> bool {
    let (from, to) = if from as i8 > to as i8 { (to, from) } else { (from, to) };
    let signed = |byte: u8| case.fold(byte) as i8;
    (signed(from)..=signed(to)).contains(&signed(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_of_every_kind() {
        let good: [(&str, &str); 18] = [
            ("", ""),
            ("abc", "abc"),
            ("*", "abc"),
            ("a*", "a"),
            ("*c", "abc"),
            ("a**c", "abbc"),
            ("h?llo", "hallo"),
            ("h[ae]llo", "hello"),
            ("h[^e]llo", "hallo"),
            ("[a-c]x", "bx"),
            ("[c-a]x", "bx"),
            ("\\*", "*"),
            ("[\\]]", "]"),
            ("a\\", "a\\"),
            ("[abc", "b"),
            ("[^", "x"),
            ("[a-]", "]"),
            ("*[0-9]*z", "ab1cz"),
        ];
        for (pattern, text) in good {
            assert!(matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        let bad: [(&str, &str); 13] = [
            ("", "a"),
            ("a", ""),
            ("*", ""),
            ("?", ""),
            ("abc", "ab"),
            ("ab", "abc"),
            ("*b", "abc"),
            ("[", "["),
            ("[]", "]"),
            ("[^a", "a"),
            ("ABC", "abc"),
            ("\\*", "a"),
            ("a?", "a"),
        ];
        for (pattern, text) in bad {
            assert!(!matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
    }

    #[test]
    fn case_may_be_ignored_but_for_escapes_in_classes() {
        assert!(matches_nocase(b"aB[C-E]", b"AbD"));
        assert!(matches_nocase(b"[ab]", b"B"));
        assert!(!matches_nocase(b"[\\a]", b"A"));
        assert!(matches_nocase(b"\\a", b"A"));
    }

    #[test]
    fn ranges_compare_signed_bytes() {
        assert!(matches(b"[\xff-\x01]", b"\0"));
        assert!(!matches(b"[a-\xff]", b"b"));
        assert!(matches(b"[a-\xff]", b"A"));
    }

    #[test]
    fn abusive_patterns_are_given_up() {
        let text = b"ba".repeat(2000);
        assert!(matches(&b"*a".repeat(STARS_MAX as usize), &text));
        assert!(!matches(&b"*a".repeat(STARS_MAX as usize + 1), &text));
        assert!(!matches(&[&b"*a".repeat(900)[..], b"*c"].concat(), &b"a".repeat(20_000)));
    }

    /// The definition, with all its backtracking.
    fn naive(pattern: &[u8], text: &[u8], case: Case) -> bool {
        match (pattern, text) {
            ([], _) => text.is_empty(),
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|n| naive(rest, &text[n..], case)),
            (_, []) => false,
            (_, [byte, later @ ..]) => {
                match_byte(pattern, *byte, case).is_some_and(|rest| naive(rest, later, case))
            }
        }
    }

    fn bytes(of: &'static [u8], max: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(of), 0..max)
    }

    proptest! {
        #[test]
        fn the_search_finds_what_backtracking_finds(
            pattern in bytes(b"ab*?[]^-\\A", 10),
            text in bytes(b"abA]", 10),
        ) {
            for case in [Case::Sensitive, Case::Ignored] {
                let empty = text.is_empty() && !pattern.is_empty();
                let expected = naive(&pattern, &text, case) && !empty;
                prop_assert_eq!(search(&pattern, &text, case), expected);
            }
        }

        #[test]
        fn a_pattern_without_magic_is_itself(text in bytes(b"abc:{}-^]", 20)) {
            prop_assert!(matches(&text, &text));
        }
    }
}
