//! SORT and SORT_RO: the elements of a list, a set or a sorted set in order, as they are or as
//! patterns name keys by them. Called by dispatch; all access to keys goes through the keyspace.
//!
//! ALPHA compares bytes, which is how strings compare in the C locale; `locale-collate` changes
//! nothing here. A sorted set keeps its encoding, of which Redis makes a table to sort it.

use std::cmp::Ordering;
use std::ops::Range;

use super::computed::{self, Computed};
use super::hashes::read_hash;
use crate::base::numbers;
use crate::core::Core;
use crate::core::client::ClientFlags;
use crate::core::value_limits::of_lists;
use crate::data::listpack::Element;
use crate::data::quicklist::Quicklist;
use crate::dispatch::Context;
use crate::dispatch::declare::*;
use crate::keyspace::Keyspace;
use crate::keyspace::events::EventClass;
use crate::resp::Error;
use crate::value::list::{Changed, Direction, End};
use crate::value::{List, Value, ValueRef};

// ---- what is asked for

/// The options of a request.
#[derive(Default)]
struct Options<'a> {
    order: Order<'a>,
    /// LIMIT, as given.
    limit: Option<(i64, i64)>,
    gets: Vec<Pattern<'a>>,
    /// The argument of STORE.
    store: Option<usize>,
}

/// What elements are put in order by.
#[derive(Clone, Copy, Default)]
struct Order<'a> {
    /// Not at all: BY was given a name without a `*`.
    unsorted: bool,
    descending: bool,
    alpha: bool,
    by: Option<Pattern<'a>>,
}

impl<'a> Options<'a> {
    fn parse(ctx: &Context<'a>, may_store: bool) -> Result<Self, Error> {
        let mut options = Options::default();
        let order = &mut options.order;
        let mut cursor = ctx.cursor(2);
        while let Some(word) = cursor.next() {
            let rest = cursor.remaining();
            let is = |name: &str, needs: usize| {
                rest >= needs && word.eq_ignore_ascii_case(name.as_bytes())
            };
            if is("asc", 0) {
                order.descending = false;
            } else if is("desc", 0) {
                order.descending = true;
            } else if is("alpha", 0) {
                order.alpha = true;
            } else if is("limit", 2) {
                options.limit = Some((cursor.expect_i64()?, cursor.expect_i64()?));
            } else if may_store && is("store", 1) {
                options.store = Some(cursor.position());
                cursor.expect()?;
            } else if is("by", 1) {
                let pattern = cursor.expect()?;
                if pattern.contains(&b'*') {
                    check_other_keys(ctx, "BY")?;
                } else {
                    order.unsorted = true;
                }
                order.by = Some(Pattern::parse(pattern));
            } else if is("get", 1) {
                check_other_keys(ctx, "GET")?;
                options.gets.push(Pattern::parse(cursor.expect()?));
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(options)
    }

    /// Which of so many elements LIMIT leaves.
    fn window(&self, len: usize) -> Range<usize> {
        let (offset, count) = self.limit.unwrap_or((0, -1));
        let start = usize::try_from(offset).unwrap_or(0).min(len);
        let count = usize::try_from(count).unwrap_or(len).min(len - start);
        start..start + count
    }
}

/// An option that names keys by elements: nobody knows in which slots they are.
fn check_other_keys(ctx: &Context<'_>, option: &str) -> Result<(), Error> {
    if ctx.core.keyspace.is_cluster() {
        return Err(Error::err(format_args!("{option} option of SORT denied in Cluster mode.")));
    }
    Ok(())
}

/// What BY and GET look at.
#[derive(Clone, Copy)]
enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// The string at a key, or a hash's field; the element goes between prefix and suffix.
    Key { prefix: &'a [u8], suffix: &'a [u8], field: Option<&'a [u8]> },
    /// A key that no element is part of, which is taken for none.
    Nothing,
}

impl<'a> Pattern<'a> {
    fn parse(pattern: &'a [u8]) -> Self {
        if pattern == b"#" {
            return Pattern::Element;
        }
        let Some(star) = memchr::memchr(b'*', pattern) else { return Pattern::Nothing };
        let (prefix, rest) = (&pattern[..star], &pattern[star + 1..]);
        let arrow = rest.windows(2).position(|pair| pair == b"->");
        match arrow.map(|at| (&rest[..at], &rest[at + 2..])) {
            Some((suffix, field)) if !field.is_empty() => {
                Pattern::Key { prefix, suffix, field: Some(field) }
            }
            Some(_) | None => Pattern::Key { prefix, suffix: rest, field: None },
        }
    }

    /// What `see` makes of the value for an element, if there is one.
    fn look_up<R>(
        self,
        (keyspace, db): (&mut Keyspace, usize),
        element: &[u8],
        see: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        let (prefix, suffix, field) = match self {
            Pattern::Element => return Some(see(element)),
            Pattern::Nothing => return None,
            Pattern::Key { prefix, suffix, field } => (prefix, suffix, field),
        };
        let name = [prefix, element, suffix].concat();
        let key = keyspace.key(&name);
        let mut digits = itoa::Buffer::new();
        let bytes = match field {
            // A key of another type has no field.
            Some(field) => read_hash(keyspace, db, &key).ok()??.get(field)?.bytes(&mut digits),
            None => keyspace.lookup_read(db, &key)?.value().string(&mut digits)?,
        };
        Some(see(bytes))
    }
}

// ---- elements

/// Elements on their way, with what they are compared by.
#[derive(Default)]
struct Elements {
    /// All strings, one after the other.
    bytes: Vec<u8>,
    items: Vec<Item>,
}

/// A string among all.
#[derive(Clone, Copy)]
struct Text {
    at: usize,
    len: usize,
}

struct Item {
    element: Text,
    weight: Weight,
}

#[derive(Clone, Copy)]
enum Weight {
    /// Nothing was found.
    None,
    Number(f64),
    Text(Text),
}

impl Elements {
    fn push(&mut self, element: Element<'_>) {
        let at = self.bytes.len();
        element.write_to(&mut self.bytes);
        let element = Text { at, len: self.bytes.len() - at };
        self.items.push(Item { element, weight: Weight::None });
    }

    fn text(&self, text: Text) -> &[u8] {
        text_of(&self.bytes, text)
    }

    /// Gives every element its weight.
    fn weigh(
        &mut self,
        (keyspace, db): (&mut Keyspace, usize),
        order: Order<'_>,
    ) -> Result<(), Error> {
        let mut text = Vec::new();
        for index in 0..self.items.len() {
            let element = self.items[index].element;
            let pattern = order.by.unwrap_or(Pattern::Element);
            let weight = if order.alpha {
                let Some(by) = order.by else { continue };
                text.clear();
                let name = text_of(&self.bytes, element);
                let found = by.look_up((keyspace, db), name, |value| text.extend_from_slice(value));
                let at = self.bytes.len();
                self.bytes.extend_from_slice(&text);
                found.map(|()| Weight::Text(Text { at, len: text.len() }))
            } else {
                let name = text_of(&self.bytes, element);
                let number = pattern.look_up((keyspace, db), name, parse_weight);
                // What has no weight weighs nothing.
                Some(Weight::Number(number.unwrap_or(Ok(0.0))?))
            };
            self.items[index].weight = weight.unwrap_or(Weight::None);
        }
        Ok(())
    }

    /// Puts those in order that come to lie in the window, and only them.
    fn sort(&mut self, window: &Range<usize>, order: Order<'_>) {
        let Elements { bytes, items } = self;
        let compare = |a: &Item, b: &Item| compare(bytes, a, b, order);
        if window.is_empty() {
            return;
        }
        if window.end < items.len() {
            items.select_nth_unstable_by(window.end - 1, compare);
        }
        let front = &mut items[..window.end];
        if window.start > 0 {
            front.select_nth_unstable_by(window.start, compare);
        }
        front[window.start..].sort_unstable_by(compare);
    }
}

fn text_of(bytes: &[u8], text: Text) -> &[u8] {
    &bytes[text.at..text.at + text.len]
}

/// Elements by their weights. What weighs the same is compared itself or, where strings are
/// compared, stays as it was.
fn compare(bytes: &[u8], a: &Item, b: &Item, order: Order<'_>) -> Ordering {
    let text = |text| text_of(bytes, text);
    let elements = || text(a.element).cmp(text(b.element));
    let ordering = match (a.weight, b.weight) {
        (Weight::Number(x), Weight::Number(y)) => {
            x.partial_cmp(&y).unwrap_or(Ordering::Equal).then_with(elements)
        }
        (Weight::Text(x), Weight::Text(y)) => text(x).cmp(text(y)),
        (Weight::None, Weight::None) if order.by.is_some() => Ordering::Equal,
        (Weight::None, Weight::None) => elements(),
        (Weight::None, _) => Ordering::Less,
        (_, Weight::None) => Ordering::Greater,
        (Weight::Number(_), Weight::Text(_)) => Ordering::Less,
        (Weight::Text(_), Weight::Number(_)) => Ordering::Greater,
    };
    let ordering = if order.descending { ordering.reverse() } else { ordering };
    ordering.then(a.element.at.cmp(&b.element.at))
}

/// A number as C reads it from a string, to the end of which it must go.
fn parse_weight(text: &[u8]) -> Result<f64, Error> {
    let text = memchr::memchr(0, text).map_or(text, |end| &text[..end]);
    if text.is_empty() {
        return Ok(0.0);
    }
    let bad = || Error::err("One or more scores can't be converted into double");
    numbers::parse_f64(text.trim_ascii_start()).ok_or_else(bad)
}

// ---- the commands

/// SORT key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC | DESC] [ALPHA] [STORE key]
pub(super) fn sort(ctx: &mut Context<'_>) -> Result<(), Error> {
    sort_elements(ctx, true)
}

/// SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC | DESC] [ALPHA]
pub(super) fn sort_ro(ctx: &mut Context<'_>) -> Result<(), Error> {
    sort_elements(ctx, false)
}

fn sort_elements(ctx: &mut Context<'_>, may_store: bool) -> Result<(), Error> {
    let mut options = Options::parse(ctx, may_store)?;
    let (mut elements, window) = load(ctx, &mut options)?;
    if !options.order.unsorted {
        elements.weigh((&mut ctx.core.keyspace, ctx.client.db), options.order)?;
        elements.sort(&window, options.order);
    }
    let chosen = &elements.items[window];
    match options.store {
        Some(index) => store(ctx, index, &elements, (chosen, &options.gets)),
        None => reply(ctx, &elements, (chosen, &options.gets)),
    }
    Ok(())
}

/// The elements of the command's key, and which of them are wanted once they are in order.
fn load(
    ctx: &mut Context<'_>,
    options: &mut Options<'_>,
) -> Result<(Elements, Range<usize>), Error> {
    let (key, db) = (ctx.key(1), ctx.client.db);
    let mut elements = Elements::default();
    let descending = options.order.descending;
    let window = match ctx.core.keyspace.lookup_read(db, &key).map(|record| record.value()) {
        None => 0..0,
        Some(ValueRef::List(list)) if options.order.unsorted => {
            let window = options.window(list.len());
            let mut left = window.len();
            let (from, direction) = if descending {
                (list.len().saturating_sub(window.start + 1), Direction::Backward)
            } else {
                (window.start, Direction::Forward)
            };
            if left > 0 {
                list.walk(from, direction, |element| {
                    elements.push(element);
                    left -= 1;
                    left == 0
                });
            }
            0..window.len()
        }
        Some(ValueRef::List(list)) => {
            list.walk(0, Direction::Forward, |element| {
                elements.push(element);
                false
            });
            options.window(list.len())
        }
        Some(ValueRef::Set(set)) => {
            let comparable = options.store.is_some() || ctx.client.is(ClientFlags::SCRIPT);
            if options.order.unsorted && comparable {
                // A set has no order that replicas would agree on.
                options.order = Order { alpha: true, by: None, unsorted: false, descending };
            }
            set.iter().for_each(|member| elements.push(member));
            options.window(set.len())
        }
        Some(ValueRef::Zset(zset)) if options.order.unsorted => {
            let window = options.window(zset.len());
            let len = window.len();
            if descending {
                let ranks = zset.len() - window.end..zset.len() - window.start;
                zset.range(ranks).rev().for_each(|(member, _)| elements.push(member));
            } else {
                zset.range(window).for_each(|(member, _)| elements.push(member));
            }
            0..len
        }
        Some(ValueRef::Zset(zset)) => {
            zset.iter().for_each(|(member, _)| elements.push(member));
            options.window(zset.len())
        }
        Some(_) => return Err(Error::WrongType),
    };
    Ok((elements, window))
}

/// Calls `give` with each chosen element, or with what the patterns of GET find for it.
fn for_each_result(
    (keyspace, db): (&mut Keyspace, usize),
    elements: &Elements,
    (chosen, gets): (&[Item], &[Pattern<'_>]),
    mut give: impl FnMut(Option<&[u8]>),
) {
    for item in chosen {
        let element = elements.text(item.element);
        if gets.is_empty() {
            give(Some(element));
        }
        for get in gets {
            if get.look_up((keyspace, db), element, |value| give(Some(value))).is_none() {
                give(None);
            }
        }
    }
}

fn results(chosen: &[Item], gets: &[Pattern<'_>]) -> usize {
    chosen.len() * gets.len().max(1)
}

fn reply(ctx: &mut Context<'_>, elements: &Elements, chosen: (&[Item], &[Pattern<'_>])) {
    let reply = &mut ctx.client.reply;
    reply.array(results(chosen.0, chosen.1));
    let keyspace = (&mut ctx.core.keyspace, ctx.client.db);
    for_each_result(keyspace, elements, chosen, |value| match value {
        Some(value) => reply.bulk(value),
        None => reply.null(),
    });
}

/// Stores the result as a list, and replies with its length.
fn store(
    ctx: &mut Context<'_>,
    index: usize,
    elements: &Elements,
    chosen: (&[Item], &[Pattern<'_>]),
) {
    let len = results(chosen.0, chosen.1);
    let value = Value::List(build_list(ctx.core, ctx.client.db, elements, chosen));
    let (event, changes) = ((EventClass::LIST, "sortstore"), len as u64);
    computed::store(ctx, index, Computed { value, len, event, changes });
}

fn build_list(
    core: &mut Core,
    db: usize,
    elements: &Elements,
    chosen: (&[Item], &[Pattern<'_>]),
) -> List {
    let limits = of_lists(core);
    // Taken for a long one until all of it is there.
    let mut list = List::from(Quicklist::new(&limits));
    for_each_result((&mut core.keyspace, db), elements, chosen, |value| {
        list.push(End::Tail, value.unwrap_or_default(), &limits);
    });
    list.settle(Changed::Built, &limits);
    list
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("sort", -2, sort)
        .summary("Sorts a list, a set or a sorted set, and gives or stores the result.")
        .syntax(
            "key [BY pattern:by-pattern#1] [LIMIT <offset count>] [GET pattern:get-pattern#1]... \
             [ASC | DESC]:order [ALPHA:sorting] [STORE destination#2]",
        )
        .since("1.0.0", Group::Generic)
        .complexity("O(N+M*log(M)), N elements, M of them given")
        .flags(&[WRITE, DENYOOM])
        .categories(&[SET, SORTEDSET, LIST, DANGEROUS])
        .keys(&[
            KeySpec::key(1, &[RO, ACCESS]),
            KeySpec::unknown(&[RO, ACCESS])
                .note("The keys of BY and GET depend on the elements that are sorted."),
            KeySpec::unknown(&[OW, UPDATE]).note("STORE can stand anywhere among the options."),
        ])
        .find_keys(find_keys::sort),
    Command::new("sort_ro", -2, sort_ro)
        .summary("Sorts a list, a set or a sorted set.")
        .syntax(
            "key [BY pattern:by-pattern#1] [LIMIT <offset count>] [GET pattern:get-pattern#1]... \
             [ASC | DESC]:order [ALPHA:sorting]",
        )
        .since("7.0.0", Group::Generic)
        .complexity("O(N+M*log(M)), N elements, M of them given")
        .flags(&[READONLY])
        .categories(&[SET, SORTEDSET, LIST, DANGEROUS])
        .keys(&[
            KeySpec::key(1, &[RO, ACCESS]),
            KeySpec::unknown(&[RO, ACCESS])
                .note("The keys of BY and GET depend on the elements that are sorted."),
        ])
        .find_keys(find_keys::sort_ro),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn elements_of<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Elements {
        let mut elements = Elements::default();
        texts.into_iter().for_each(|text| elements.push(Element::Bytes(text)));
        elements
    }

    fn texts(elements: &Elements, window: &Range<usize>) -> Vec<Vec<u8>> {
        let chosen = elements.items[window.clone()].iter();
        chosen.map(|item| elements.text(item.element).to_vec()).collect()
    }

    #[test]
    fn patterns_are_taken_apart() {
        let parts = |pattern: &'static str| match Pattern::parse(pattern.as_bytes()) {
            Pattern::Element => "element".to_string(),
            Pattern::Nothing => "nothing".to_string(),
            Pattern::Key { prefix, suffix, field } => {
                format!("{:?}", [prefix, suffix, field.unwrap_or(b"?")].map(<[u8]>::escape_ascii))
            }
        };
        let expect = |prefix: &str, suffix: &str, field: &str| {
            let parts = [prefix, suffix, field].map(|part| part.as_bytes().escape_ascii());
            format!("{parts:?}")
        };
        assert_eq!(parts("#"), "element");
        assert_eq!(parts("##"), "nothing");
        assert_eq!(parts("w->f"), "nothing");
        assert_eq!(parts("w_*"), expect("w_", "", "?"));
        assert_eq!(parts("a->*b*->c->d"), expect("a->", "b*", "c->d"));
        assert_eq!(parts("w_*->"), expect("w_", "->", "?"));
    }

    #[test]
    fn weights_are_read_as_c_does() {
        for (text, expected) in [("", 0.0), (" \t1.5", 1.5), ("-inf", f64::NEG_INFINITY)] {
            assert_eq!(parse_weight(text.as_bytes()), Ok(expected), "{text:?}");
        }
        assert_eq!(parse_weight(b"0x10\0junk"), Ok(16.0));
        for text in ["x", " ", "1 ", "nan", "1e999", "1x"] {
            assert!(parse_weight(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn limits_stay_within_the_elements() {
        let window = |limit| Options { limit, ..Options::default() }.window(5);
        assert_eq!(window(None), 0..5);
        for (limit, expected) in [
            ((1, 2), 1..3),
            ((3, 100), 3..5),
            ((2, -1), 2..5),
            ((2, -7), 2..5),
            ((-3, 2), 0..2),
            ((2, 0), 2..2),
            ((9, 1), 5..5),
            ((i64::MAX, i64::MAX), 5..5),
        ] {
            assert_eq!(window(Some(limit)), expected, "{limit:?}");
        }
    }

    proptest! {
        #[test]
        fn windows_are_those_of_a_whole_sort(
            numbers in prop::collection::vec(-20i64..20, 0..60),
            (alpha, descending) in (any::<bool>(), any::<bool>()),
            (offset, count) in (0i64..70, -1i64..70),
        ) {
            let words: Vec<String> = numbers.iter().map(i64::to_string).collect();
            let order = Order { alpha, descending, ..Order::default() };
            let options = Options { limit: Some((offset, count)), ..Options::default() };
            let window = options.window(words.len());
            let mut elements = elements_of(words.iter().map(String::as_bytes));
            let mut keyspace = Keyspace::new(1, false);
            prop_assert_eq!(elements.weigh((&mut keyspace, 0), order), Ok(()));
            elements.sort(&window, order);

            let mut sorted = words.clone();
            if alpha {
                sorted.sort();
            } else {
                sorted.sort_by_key(|word| word.parse::<i64>().unwrap());
            }
            if descending {
                sorted.reverse();
            }
            let expected: Vec<_> =
                sorted[window.clone()].iter().map(|word| word.clone().into_bytes()).collect();
            prop_assert_eq!(texts(&elements, &window), expected);
        }
    }
}
