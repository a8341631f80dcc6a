//! Geospatial commands. An index is a sorted set whose scores are the numbers of places; what these
//! are, and which part of them a search has to look at, is in `data::geohash`. Called by dispatch;
//! all access to keys goes through the keyspace.

use super::zset_ranges::store_at;
use super::zsets::{Rules, add_members, read_zset, reply_member};
use crate::base::numbers;
use crate::core::value_limits::of_zsets as limits;
use crate::data::geohash::{Outline, Point, Shape};
use crate::data::listpack::Element;
use crate::dispatch::Context;
use crate::dispatch::cursor::{Cursor, parse_i64};
use crate::dispatch::declare::*;
use crate::resp::{Args, Error, Reply};
use crate::value::Zset;
use crate::value::scored::Builder;
use crate::value::zset::range::{ScoreBound, ScoreRange};

/// Digits behind the point of a distance.
const DISTANCE_DECIMALS: u32 = 4;

// ---- arguments

fn parse_number(arg: &[u8], words: &str) -> Result<f64, Error> {
    numbers::parse_f64(arg).ok_or_else(|| Error::err(words))
}

/// A longitude and a latitude.
fn parse_point(longitude: &[u8], latitude: &[u8]) -> Result<Point, Error> {
    let parse = |arg: &[u8]| numbers::parse_f64(arg).ok_or(Error::NotAFloat);
    let point = Point { longitude: parse(longitude)?, latitude: parse(latitude)? };
    if point.is_valid() {
        return Ok(point);
    }
    let Point { longitude, latitude } = point;
    Err(Error::err(format_args!("invalid longitude,latitude pair {longitude:.6},{latitude:.6}")))
}

/// Meters of a unit.
fn parse_unit(word: &[u8]) -> Result<f64, Error> {
    let units = [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)];
    let found = units.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
    let words = "unsupported unit provided. please use M, KM, FT, MI";
    found.map(|(_, meters)| meters).ok_or_else(|| Error::err(words))
}

/// A radius and its unit.
fn parse_circle(radius: &[u8], unit: &[u8]) -> Result<(Outline, f64), Error> {
    let radius = parse_number(radius, "need numeric radius")?;
    if radius < 0.0 {
        return Err(Error::err("radius cannot be negative"));
    }
    Ok((Outline::Circle { radius }, parse_unit(unit)?))
}

/// A width, a height, and their unit.
fn parse_box(width: &[u8], height: &[u8], unit: &[u8]) -> Result<(Outline, f64), Error> {
    let width = parse_number(width, "need numeric width")?;
    let height = parse_number(height, "need numeric height")?;
    if width < 0.0 || height < 0.0 {
        return Err(Error::err("height or width cannot be negative"));
    }
    Ok((Outline::Box { width, height }, parse_unit(unit)?))
}

/// Where a member is.
fn point_of(zset: &Zset, member: &[u8]) -> Option<Point> {
    zset.score(member).map(Point::of_score)
}

// ---- adding and asking

/// GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member …]
pub(super) fn geoadd(ctx: &mut Context<'_>) -> Result<(), Error> {
    let args = ctx.args;
    let (rules, first) = Rules::parse_geo(&args);
    if !(args.len() - first).is_multiple_of(3) || rules.is_contradictory() {
        return Err(Error::Syntax);
    }
    let places = (first..args.len()).step_by(3);
    let scored: Result<Vec<_>, Error> = places
        .map(|at| {
            let point = parse_point(args.at(at), args.at(at + 1))?;
            Ok((point.to_score(), args.at(at + 2)))
        })
        .collect();
    let scored = scored?;
    if scored.is_empty() {
        return Err(Error::Syntax);
    }
    let first_member = scored[0].1;
    add_members(ctx, rules, first_member, scored.into_iter().map(Ok))
}

/// GEODIST key member1 member2 [M | KM | FT | MI]
pub(super) fn geodist(ctx: &mut Context<'_>) -> Result<(), Error> {
    let args = ctx.args;
    let unit_m = match args.len() {
        4 => 1.0,
        5 => parse_unit(args.at(4))?,
        _ => return Err(Error::Syntax),
    };
    let key = ctx.key(1);
    let zset = read_zset(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let point = |at: usize| point_of(zset?, args.at(at));
    let reply = &mut ctx.client.reply;
    match (point(2), point(3)) {
        (Some(from), Some(to)) => reply_distance(reply, from.distance_m(to) / unit_m),
        _ => reply.null(),
    }
    Ok(())
}

fn reply_distance(reply: &mut Reply, distance: f64) {
    let mut text = Vec::new();
    numbers::write_fixed(&mut text, distance, DISTANCE_DECIMALS);
    reply.bulk(&text);
}

/// GEOHASH key [member …]
pub(super) fn geohash(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_points(ctx, |reply, point| match point {
        Some(point) => reply.bulk(&point.to_geohash()),
        None => reply.null(),
    })
}

/// GEOPOS key [member …]
pub(super) fn geopos(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_points(ctx, |reply, point| match point {
        Some(point) => reply_point(reply, point),
        None => reply.null_array(),
    })
}

fn reply_points(
    ctx: &mut Context<'_>,
    put: impl Fn(&mut Reply, Option<Point>),
) -> Result<(), Error> {
    let key = ctx.key(1);
    let zset = read_zset(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let (members, reply) = (ctx.args.iter_from(2), &mut ctx.client.reply);
    reply.array(members.len());
    for member in members {
        put(reply, zset.and_then(|zset| point_of(zset, member)));
    }
    Ok(())
}

fn reply_point(reply: &mut Reply, point: Point) {
    reply.array(2);
    for degrees in [point.longitude, point.latitude] {
        let digits = format!("{degrees:.17}");
        let digits = digits.trim_end_matches('0').trim_end_matches('.');
        reply.double_text(if digits == "-0" { "0" } else { digits }.as_bytes());
    }
}

// ---- searching

/// Which command searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// GEORADIUS and GEORADIUSBYMEMBER, or their read-only kin.
    Radius { by_member: bool, may_store: bool },
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
}

impl Form {
    fn is_search(self) -> bool {
        matches!(self, Form::Search | Form::SearchStore)
    }

    /// Where the key to be searched is, and where the options begin.
    fn layout(self) -> (usize, usize) {
        match self {
            Form::Radius { by_member: true, .. } => (1, 5),
            Form::Radius { by_member: false, .. } => (1, 6),
            Form::Search => (1, 2),
            Form::SearchStore => (2, 3),
        }
    }
}

/// In which order results are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
}

/// Everything that the arguments say.
#[derive(Clone, Copy, Debug, Default)]
struct Query {
    /// From where, unless the member that it is cannot be looked up.
    center: Option<Point>,
    from_member: bool,
    from_place: bool,
    /// The outline and meters of its unit.
    outline: Option<(Outline, f64)>,
    with_distance: bool,
    with_hash: bool,
    with_point: bool,
    order: Option<Order>,
    count: Option<usize>,
    any: bool,
    /// The argument that is the key to store at.
    store_at: Option<usize>,
    store_distance: bool,
}

impl Query {
    fn parse(args: &Args<'_>, form: Form, zset: Option<&Zset>) -> Result<Self, Error> {
        let mut query = Query::default();
        match form {
            Form::Radius { by_member: false, .. } => {
                query.center = Some(parse_point(args.at(2), args.at(3))?);
                query.outline = Some(parse_circle(args.at(4), args.at(5))?);
            }
            // Where there is no index, nobody looks at the distance either, as in Redis.
            Form::Radius { by_member: true, .. } => {
                if let Some(zset) = zset {
                    query.center = Some(center_at(zset, args.at(2))?);
                    query.outline = Some(parse_circle(args.at(3), args.at(4))?);
                }
            }
            Form::SearchStore => query.store_at = Some(1),
            Form::Search => {}
        }
        let mut cursor = Cursor::new(*args, form.layout().1);
        while cursor.remaining() > 0 {
            let known = query.take_common(&mut cursor)?
                || query.take_store(&mut cursor, form)?
                || form.is_search() && query.take_shape(&mut cursor, zset)?;
            if !known {
                return Err(Error::Syntax);
            }
        }
        query.check(args, form)?;
        Ok(query)
    }

    /// An option that all forms have; whether it was one.
    fn take_common(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, Error> {
        if cursor.take_word("WITHDIST") {
            self.with_distance = true;
        } else if cursor.take_word("WITHHASH") {
            self.with_hash = true;
        } else if cursor.take_word("WITHCOORD") {
            self.with_point = true;
        } else if cursor.take_word("ANY") {
            self.any = true;
        } else if cursor.take_word("ASC") {
            self.order = Some(Order::Ascending);
        } else if cursor.take_word("DESC") {
            self.order = Some(Order::Descending);
        } else if cursor.remaining() > 1 && cursor.take_word("COUNT") {
            let count = usize::try_from(parse_i64(cursor.expect()?)?).ok().filter(|n| *n > 0);
            self.count = Some(count.ok_or_else(|| Error::err("COUNT must be > 0"))?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// STORE and STOREDIST.
    fn take_store(&mut self, cursor: &mut Cursor<'_>, form: Form) -> Result<bool, Error> {
        match form {
            Form::Radius { may_store: true, .. } if cursor.remaining() > 1 => {
                let distance = cursor.take_word("STOREDIST");
                if !distance && !cursor.take_word("STORE") {
                    return Ok(false);
                }
                self.store_distance = distance;
                self.store_at = Some(Cursor::position(cursor));
                cursor.expect()?;
                Ok(true)
            }
            Form::SearchStore if cursor.take_word("STOREDIST") => {
                self.store_distance = true;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// From where, and how far.
    fn take_shape(&mut self, cursor: &mut Cursor<'_>, zset: Option<&Zset>) -> Result<bool, Error> {
        let left = cursor.remaining();
        let is_circle = matches!(self.outline, Some((Outline::Circle { .. }, _)));
        let is_box = matches!(self.outline, Some((Outline::Box { .. }, _)));
        if left > 1 && !self.from_place && cursor.take_word("FROMMEMBER") {
            let member = cursor.expect()?;
            self.center = zset.map(|zset| center_at(zset, member)).transpose()?;
            self.from_member = true;
        } else if left > 2 && !self.from_member && cursor.take_word("FROMLONLAT") {
            self.center = Some(parse_point(cursor.expect()?, cursor.expect()?)?);
            self.from_place = true;
        } else if left > 2 && !is_box && cursor.take_word("BYRADIUS") {
            self.outline = Some(parse_circle(cursor.expect()?, cursor.expect()?)?);
        } else if left > 3 && !is_circle && cursor.take_word("BYBOX") {
            let (width, height) = (cursor.expect()?, cursor.expect()?);
            self.outline = Some(parse_box(width, height, cursor.expect()?)?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// What does not fit together.
    fn check(&self, args: &Args<'_>, form: Form) -> Result<(), Error> {
        if self.store_at.is_some() && (self.with_distance || self.with_hash || self.with_point) {
            let who = match form {
                Form::SearchStore => "GEOSEARCHSTORE",
                _ => "STORE option in GEORADIUS",
            };
            return Err(Error::err(format_args!(
                "{who} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )));
        }
        // As the client wrote it.
        let name = String::from_utf8_lossy(args.at(0));
        if form.is_search() && !self.from_member && !self.from_place {
            return Err(Error::err(format_args!(
                "exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}"
            )));
        }
        if form.is_search() && self.outline.is_none() {
            return Err(Error::err(format_args!(
                "exactly one of BYRADIUS and BYBOX can be specified for {name}"
            )));
        }
        if self.any && self.count.is_none() {
            return Err(Error::err("the ANY argument requires COUNT argument"));
        }
        Ok(())
    }

    fn shape(&self) -> Option<Shape> {
        let (outline, unit_m) = self.outline?;
        Some(Shape { center: self.center?, unit_m, outline })
    }

    /// What is found, in order, with distances in the unit of the query.
    fn run<'z>(&self, zset: &'z Zset) -> Vec<Hit<'z>> {
        let Some(shape) = self.shape() else { return Vec::new() };
        let wanted = self.count.unwrap_or(usize::MAX);
        let mut hits = search(zset, &shape, if self.any { wanted } else { usize::MAX });
        let by_distance = |a: &Hit<'_>, b: &Hit<'_>| a.distance.total_cmp(&b.distance);
        match self.order {
            Some(Order::Descending) => hits.sort_by(|a, b| by_distance(b, a)),
            Some(Order::Ascending) => hits.sort_by(by_distance),
            // The nearest, unless any will do.
            None if self.count.is_some() && !self.any => hits.sort_by(by_distance),
            None => {}
        }
        hits.truncate(wanted);
        hits.iter_mut().for_each(|hit| hit.distance /= shape.unit_m);
        hits
    }
}

/// Where a member is that is the middle of a search.
fn center_at(zset: &Zset, member: &[u8]) -> Result<Point, Error> {
    let words = "could not decode requested zset member";
    point_of(zset, member).ok_or_else(|| Error::err(words))
}

/// A member that was found.
#[derive(Clone, Copy, Debug)]
struct Hit<'z> {
    member: Element<'z>,
    score: f64,
    point: Point,
    distance: f64,
}

/// The members within a shape, at most `limit`, in no order; distances are in meters.
fn search<'z>(zset: &'z Zset, shape: &Shape, limit: usize) -> Vec<Hit<'z>> {
    let mut hits = Vec::new();
    for cell in shape.cells() {
        let (min, max) = cell.scores();
        let range = ScoreRange {
            min: ScoreBound { score: min, open: false },
            max: ScoreBound { score: max, open: true },
        };
        for (member, score) in zset.range(zset.ranks_by_score(&range)) {
            if hits.len() >= limit {
                return hits;
            }
            let point = Point::of_score(score);
            if let Some(distance) = shape.distance_m(point) {
                hits.push(Hit { member, score, point, distance });
            }
        }
    }
    hits
}

/// A search, from the arguments to the reply.
fn find(ctx: &mut Context<'_>, form: Form) -> Result<(), Error> {
    let (args, limits) = (ctx.args, limits(ctx.core));
    let key = ctx.key(form.layout().0);
    let zset = read_zset(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let query = Query::parse(&args, form, zset)?;
    let hits = zset.map(|zset| query.run(zset)).unwrap_or_default();
    let Some(store) = query.store_at else {
        reply_hits(&mut ctx.client.reply, &hits, &query);
        return Ok(());
    };
    let (count, event) =
        (hits.len(), if form.is_search() { "geosearchstore" } else { "georadiusstore" });
    let mut members = Builder::default();
    let mut digits = itoa::Buffer::new();
    for hit in hits {
        let score = if query.store_distance { hit.distance } else { hit.score };
        members.add(hit.member.bytes(&mut digits), |_| score);
    }
    let result = Zset::from_members(members, limits);
    store_at(ctx, store, result, (event, count as u64));
    Ok(())
}

fn reply_hits(reply: &mut Reply, hits: &[Hit<'_>], query: &Query) {
    let parts = [query.with_distance, query.with_hash, query.with_point];
    let parts = parts.into_iter().filter(|wanted| *wanted).count();
    reply.array(hits.len());
    for hit in hits {
        if parts > 0 {
            reply.array(1 + parts);
        }
        reply_member(reply, hit.member);
        if query.with_distance {
            reply_distance(reply, hit.distance);
        }
        if query.with_hash {
            reply.int(hit.score as i64);
        }
        if query.with_point {
            reply_point(reply, hit.point);
        }
    }
}

/// GEORADIUS key longitude latitude radius M | KM | FT | MI [options] [STORE | STOREDIST key]
pub(super) fn georadius(ctx: &mut Context<'_>) -> Result<(), Error> {
    find(ctx, Form::Radius { by_member: false, may_store: true })
}

/// GEORADIUS_RO key longitude latitude radius M | KM | FT | MI [options]
pub(super) fn georadius_ro(ctx: &mut Context<'_>) -> Result<(), Error> {
    find(ctx, Form::Radius { by_member: false, may_store: false })
}

/// GEORADIUSBYMEMBER key member radius M | KM | FT | MI [options] [STORE | STOREDIST key]
pub(super) fn georadiusbymember(ctx: &mut Context<'_>) -> Result<(), Error> {
    find(ctx, Form::Radius { by_member: true, may_store: true })
}

/// GEORADIUSBYMEMBER_RO key member radius M | KM | FT | MI [options]
pub(super) fn georadiusbymember_ro(ctx: &mut Context<'_>) -> Result<(), Error> {
    find(ctx, Form::Radius { by_member: true, may_store: false })
}

/// GEOSEARCH key FROMMEMBER … | FROMLONLAT … BYRADIUS … | BYBOX … [options]
pub(super) fn geosearch(ctx: &mut Context<'_>) -> Result<(), Error> {
    find(ctx, Form::Search)
}

/// GEOSEARCHSTORE destination source FROMMEMBER … | FROMLONLAT … BYRADIUS … | BYBOX … [options]
pub(super) fn geosearchstore(ctx: &mut Context<'_>) -> Result<(), Error> {
    find(ctx, Form::SearchStore)
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("geoadd", -5, geoadd)
        .summary("Adds places to a geospatial index, which is created if missing.")
        .syntax("key [NX | XX]:condition@6.2.0 [CH:change]@6.2.0 <longitude latitude member>...")
        .since("3.2.0", Group::Geo)
        .complexity("O(log(N)) per place, N members")
        .flags(&[WRITE, DENYOOM])
        .categories(&[GEO])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])]),
    Command::new("geodist", -4, geodist)
        .summary("Gives the distance between two members of a geospatial index.")
        .syntax("key member1 member2 [M | KM | FT | MI]:unit")
        .since("3.2.0", Group::Geo)
        .complexity("O(1)")
        .flags(&[READONLY])
        .categories(&[GEO])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("geohash", -2, geohash)
        .summary("Gives the places of members as geohash strings.")
        .syntax("key [member...]")
        .since("3.2.0", Group::Geo)
        .complexity("O(1) per member")
        .flags(&[READONLY])
        .categories(&[GEO])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("geopos", -2, geopos)
        .summary("Gives the longitude and latitude of members.")
        .syntax("key [member...]")
        .since("3.2.0", Group::Geo)
        .complexity("O(1) per member")
        .flags(&[READONLY])
        .categories(&[GEO])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("georadius", -6, georadius)
        .summary("Finds the members within a distance of a place, and may store them.")
        .syntax(
            "key longitude latitude radius <M | KM | FT | MI>:unit [WITHCOORD] [WITHDIST] \
             [WITHHASH] [COUNT count [ANY]@6.2.0]:count-block [ASC | DESC]:order \
             [STORE key:storekey | STOREDIST key:storedistkey]:store",
        )
        .since("3.2.0", Group::Geo)
        .complexity("O(N+log(M)), M members, N of them in the box around the area")
        .flags(&[WRITE, DENYOOM])
        .categories(&[GEO])
        .keys(&[
            KeySpec::key(1, &[RO, ACCESS]),
            KeySpec::after("STORE", 6, &[OW, UPDATE]),
            KeySpec::after("STOREDIST", 6, &[OW, UPDATE]),
        ])
        .deprecated("6.2.0", "`GEOSEARCH` or `GEOSEARCHSTORE` with `BYRADIUS`"),
    Command::new("georadius_ro", -6, georadius_ro)
        .summary("Finds the members within a distance of a place.")
        .syntax(
            "key longitude latitude radius <M | KM | FT | MI>:unit [WITHCOORD] [WITHDIST] \
             [WITHHASH] [COUNT count [ANY]@6.2.0]:count-block [ASC | DESC]:order",
        )
        .since("3.2.10", Group::Geo)
        .complexity("O(N+log(M)), M members, N of them in the box around the area")
        .flags(&[READONLY])
        .categories(&[GEO])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .deprecated("6.2.0", "`GEOSEARCH` with `BYRADIUS`"),
    Command::new("georadiusbymember", -5, georadiusbymember)
        .summary("Finds the members within a distance of another one, and may store them.")
        .syntax(
            "key member radius <M | KM | FT | MI>:unit [WITHCOORD] [WITHDIST] [WITHHASH] \
             [COUNT count [ANY]]:count-block [ASC | DESC]:order [STORE key:storekey \
             | STOREDIST key:storedistkey]:store",
        )
        .since("3.2.0", Group::Geo)
        .complexity("O(N+log(M)), M members, N of them in the box around the area")
        .flags(&[WRITE, DENYOOM])
        .categories(&[GEO])
        .keys(&[
            KeySpec::key(1, &[RO, ACCESS]),
            KeySpec::after("STORE", 5, &[OW, UPDATE]),
            KeySpec::after("STOREDIST", 5, &[OW, UPDATE]),
        ])
        .deprecated("6.2.0", "`GEOSEARCH` or `GEOSEARCHSTORE` with `FROMMEMBER` and `BYRADIUS`"),
    Command::new("georadiusbymember_ro", -5, georadiusbymember_ro)
        .summary("Finds the members within a distance of another one.")
        .syntax(
            "key member radius <M | KM | FT | MI>:unit [WITHCOORD] [WITHDIST] [WITHHASH] \
             [COUNT count [ANY]]:count-block [ASC | DESC]:order",
        )
        .since("3.2.10", Group::Geo)
        .complexity("O(N+log(M)), M members, N of them in the box around the area")
        .flags(&[READONLY])
        .categories(&[GEO])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .deprecated("6.2.0", "`GEOSEARCH` with `FROMMEMBER` and `BYRADIUS`"),
    Command::new("geosearch", -7, geosearch)
        .summary("Finds the members within a circle or a box.")
        .syntax(
            "key <FROMMEMBER member | FROMLONLAT <longitude latitude>>:from <<BYRADIUS radius <M \
             | KM | FT | MI>:unit>:circle | <BYBOX width height <M | KM | FT | MI>:unit>:box>:by \
             [ASC | DESC]:order [COUNT count [ANY]]:count-block [WITHCOORD] [WITHDIST] \
             [WITHHASH]",
        )
        .since("6.2.0", Group::Geo)
        .complexity("O(N+log(M)), M members, N of them in the box around the area")
        .flags(&[READONLY])
        .categories(&[GEO])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("geosearchstore", -8, geosearchstore)
        .summary("Stores the members within a circle or a box.")
        .syntax(
            "destination source <FROMMEMBER member | FROMLONLAT <longitude latitude>>:from \
             <<BYRADIUS radius <M | KM | FT | MI>:unit>:circle | <BYBOX width height <M | KM \
             | FT | MI>:unit>:box>:by [ASC | DESC]:order [COUNT count [ANY]]:count-block \
             [STOREDIST]",
        )
        .since("6.2.0", Group::Geo)
        .complexity("O(N+log(M)), M members, N of them in the box around the area")
        .flags(&[WRITE, DENYOOM])
        .categories(&[GEO])
        .keys(&[KeySpec::key(1, &[OW, UPDATE]), KeySpec::key(2, &[RO, ACCESS])]),
];
