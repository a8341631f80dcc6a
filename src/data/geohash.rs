//! Places on the Earth as numbers: a cell is the square that a place is in once the world was
//! halved so often in both directions, its number the bits of latitude and longitude by turns.
//! Also distances, shapes, and the cells in which everything within a shape must be. Numbers and
//! distances are bit for bit those of Redis.
//!
//! Called by the geo commands. Knows nothing of sorted sets.

use std::f64::consts::PI;

/// Halvings in each direction, of which the 52 bits of a score consist (Redis: GEO_STEP_MAX).
pub const STEPS_MAX: u32 = 26;
/// The Earth's radius in meters.
const EARTH_RADIUS_M: f64 = 6372797.560856;
/// Half of the world's width in meters where it is flat.
const WORLD_M: f64 = 20037726.37;

/// The least and the greatest value in one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Span {
    fn contains(self, value: f64) -> bool {
        (self.min..=self.max).contains(&value)
    }

    /// Which of 2^`steps` parts a value is in.
    fn part(self, value: f64, steps: u32) -> u32 {
        let share = (value - self.min) / (self.max - self.min);
        (share * (1u64 << steps) as f64) as u32
    }

    /// One of 2^`steps` parts.
    fn of_part(self, part: u32, steps: u32) -> Span {
        let width = self.max - self.min;
        let begin = |part: u32| self.min + f64::from(part) / (1u64 << steps) as f64 * width;
        Span { min: begin(part), max: begin(part.wrapping_add(1)) }
    }

    fn middle(self) -> f64 {
        (self.min + self.max) / 2.0
    }
}

/// Longitudes that have a number.
const LONGITUDES: Span = Span { min: -180.0, max: 180.0 };
/// Latitudes that have a number: those of web maps, which leave out the poles.
const LATITUDES: Span = Span { min: -85.05112878, max: 85.05112878 };
/// Latitudes as geohash strings divide them.
const ALL_LATITUDES: Span = Span { min: -90.0, max: 90.0 };

/// A place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Degrees to the east.
    pub longitude: f64,
    /// Degrees to the north.
    pub latitude: f64,
}

impl Point {
    /// Whether the place has a number.
    pub fn is_valid(self) -> bool {
        LONGITUDES.contains(self.longitude) && LATITUDES.contains(self.latitude)
    }

    /// The score of a valid place.
    pub fn to_score(self) -> f64 {
        Cell::around(self, STEPS_MAX).first_score()
    }

    /// The middle of the smallest cell that a score stands for. Any score stands for one.
    pub fn of_score(score: f64) -> Point {
        let area = Cell { number: cell_number(score), steps: STEPS_MAX }.area();
        Point {
            longitude: area.longitudes.middle().clamp(LONGITUDES.min, LONGITUDES.max),
            latitude: area.latitudes.middle().clamp(LATITUDES.min, LATITUDES.max),
        }
    }

    /// The place as a string of eleven letters and digits, the last of which says nothing.
    pub fn to_geohash(self) -> [u8; 11] {
        const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let latitude = ALL_LATITUDES.part(self.latitude, STEPS_MAX);
        let longitude = LONGITUDES.part(self.longitude, STEPS_MAX);
        let number = interleave(latitude, longitude);
        let mut text = [ALPHABET[0]; 11];
        for (place, letter) in text[..10].iter_mut().enumerate() {
            let index = number >> (2 * STEPS_MAX as usize - 5 * (place + 1)) & 0x1f;
            *letter = ALPHABET[index as usize];
        }
        text
    }

    /// Meters to another place, along a great circle.
    pub fn distance_m(self, other: Point) -> f64 {
        let half_sine = |from: f64, to: f64| ((radians(to) - radians(from)) / 2.0).sin();
        let v = half_sine(self.longitude, other.longitude);
        if v == 0.0 {
            return latitude_distance_m(self.latitude, other.latitude);
        }
        let u = half_sine(self.latitude, other.latitude);
        let cosines = radians(self.latitude).cos() * radians(other.latitude).cos();
        2.0 * EARTH_RADIUS_M * (u * u + cosines * v * v).sqrt().asin()
    }
}

fn latitude_distance_m(from: f64, to: f64) -> f64 {
    EARTH_RADIUS_M * (radians(to) - radians(from)).abs()
}

fn radians(degrees: f64) -> f64 {
    degrees * (PI / 180.0)
}

fn degrees(radians: f64) -> f64 {
    radians / (PI / 180.0)
}

/// A score as the processor that Redis runs on makes an unsigned integer of it: negative ones wrap
/// around, and none is too great.
fn cell_number(score: f64) -> u64 {
    const HALF: f64 = (1u64 << 63) as f64;
    if score < HALF {
        return score as i64 as u64;
    }
    let excess = score - HALF;
    let wrapped = if excess < HALF { excess as i64 } else { i64::MIN };
    wrapped as u64 ^ 1 << 63
}

/// The bits of two numbers by turns, those of `even` first.
fn interleave(even: u32, odd: u32) -> u64 {
    let spread = |number: u32| {
        [16, 8, 4, 2, 1]
            .into_iter()
            .fold(u64::from(number), |bits, width| (bits | bits << width) & lanes(width))
    };
    spread(even) | spread(odd) << 1
}

/// The two numbers whose bits stand by turns.
fn deinterleave(number: u64) -> (u32, u32) {
    let gather = |number: u64| {
        [1, 2, 4, 8, 16]
            .into_iter()
            .fold(number & lanes(1), |bits, width| (bits | bits >> width) & lanes(2 * width))
            as u32
    };
    (gather(number), gather(number >> 1))
}

/// Every other `width` bits.
fn lanes(width: u32) -> u64 {
    if width >= u64::BITS { u64::MAX } else { u64::MAX / ((1 << width) + 1) }
}

/// A part of the world.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Area {
    longitudes: Span,
    latitudes: Span,
}

/// A square of a world that was halved `steps` times in each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    number: u64,
    steps: u32,
}

impl Cell {
    fn around(point: Point, steps: u32) -> Cell {
        let latitude = LATITUDES.part(point.latitude, steps);
        let longitude = LONGITUDES.part(point.longitude, steps);
        Cell { number: interleave(latitude, longitude), steps }
    }

    fn area(self) -> Area {
        let (latitude, longitude) = deinterleave(self.number);
        Area {
            longitudes: LONGITUDES.of_part(longitude, self.steps),
            latitudes: LATITUDES.of_part(latitude, self.steps),
        }
    }

    /// The cell so many cells to the east and to the north; the world is round both ways.
    fn neighbour(self, east: i32, north: i32) -> Cell {
        let (latitude, longitude) = deinterleave(self.number);
        let moved = |part: u32, by: i32| match by {
            0 => part,
            _ => part.wrapping_add_signed(by) & ((1 << self.steps) - 1),
        };
        Cell { number: interleave(moved(latitude, north), moved(longitude, east)), ..self }
    }

    fn first_score(self) -> f64 {
        (self.number << (2 * (STEPS_MAX - self.steps))) as f64
    }

    /// The scores of all places in the cell: from the first to before the second.
    pub fn scores(self) -> (f64, f64) {
        let next = Cell { number: self.number.wrapping_add(1), ..self };
        (self.first_score(), next.first_score())
    }
}

/// The outline of a search. Lengths are in the unit of the shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outline {
    /// Everything that is at most so far away.
    Circle {
        /// How far.
        radius: f64,
    },
    /// A box along the meridians.
    Box {
        /// From west to east.
        width: f64,
        /// From south to north.
        height: f64,
    },
}

/// Where is searched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// The middle.
    pub center: Point,
    /// Meters of one unit.
    pub unit_m: f64,
    /// What is around the middle.
    pub outline: Outline,
}

impl Shape {
    /// Meters from the middle to a place, if it is within the shape.
    pub fn distance_m(&self, point: Point) -> Option<f64> {
        let distance = || self.center.distance_m(point);
        match self.outline {
            Outline::Circle { radius } => {
                let distance = distance();
                // Distances that are no numbers are within, as in Redis.
                if distance > radius * self.unit_m { None } else { Some(distance) }
            }
            Outline::Box { width, height } => {
                let north = latitude_distance_m(point.latitude, self.center.latitude);
                if north > height * self.unit_m / 2.0 {
                    return None;
                }
                let below = Point { latitude: point.latitude, ..self.center };
                if point.distance_m(below) > width * self.unit_m / 2.0 {
                    return None;
                }
                Some(distance())
            }
        }
    }

    /// The part of the world that the shape is in.
    fn bounds(&self) -> Area {
        let (width, height) = match self.outline {
            Outline::Circle { radius } => (radius, radius),
            Outline::Box { width, height } => (width / 2.0, height / 2.0),
        };
        let Point { longitude, latitude } = self.center;
        let north = degrees(self.unit_m * height / EARTH_RADIUS_M);
        // Meridians are closest to each other at the edge that is next to a pole.
        let edge = if latitude < 0.0 { latitude - north } else { latitude + north };
        let east = degrees(self.unit_m * width / EARTH_RADIUS_M / radians(edge).cos());
        Area {
            longitudes: Span { min: longitude - east, max: longitude + east },
            latitudes: Span { min: latitude - north, max: latitude + north },
        }
    }

    /// How often the world may be halved so that one cell and its neighbours have everything in
    /// most cases (Redis: geohashEstimateStepsByRadius).
    fn steps(&self) -> u32 {
        let reach = match self.outline {
            Outline::Circle { radius } => radius,
            Outline::Box { width, height } => {
                let (width, height) = (width / 2.0, height / 2.0);
                (width * width + height * height).sqrt()
            }
        };
        let mut reach_m = reach * self.unit_m;
        if reach_m == 0.0 {
            return STEPS_MAX;
        }
        let mut steps: i32 = -1;
        while reach_m < WORLD_M {
            reach_m *= 2.0;
            steps += 1;
        }
        // Cells are narrow at the poles.
        let latitude = self.center.latitude.abs();
        steps -= i32::from(latitude > 66.0) + i32::from(latitude > 80.0);
        steps.clamp(1, STEPS_MAX as i32) as u32
    }

    /// Cells that together contain the shape, in Redis's order. Two of them may be the same.
    pub fn cells(&self) -> Vec<Cell> {
        let bounds = self.bounds();
        let mut center = Cell::around(self.center, self.steps());
        let reaches = |east: i32, north: i32| center.neighbour(east, north).area();
        let too_small = reaches(0, 1).latitudes.max < bounds.latitudes.max
            || reaches(0, -1).latitudes.min > bounds.latitudes.min
            || reaches(1, 0).longitudes.max < bounds.longitudes.max
            || reaches(-1, 0).longitudes.min > bounds.longitudes.min;
        if too_small && center.steps > 1 {
            center = Cell::around(self.center, center.steps - 1);
        }
        let area = center.area();
        let needed = |east: i32, north: i32| {
            center.steps < 2
                || !(north < 0 && area.latitudes.min < bounds.latitudes.min
                    || north > 0 && area.latitudes.max > bounds.latitudes.max
                    || east < 0 && area.longitudes.min < bounds.longitudes.min
                    || east > 0 && area.longitudes.max > bounds.longitudes.max)
        };
        let around = [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let mut cells = vec![center];
        for (east, north) in around {
            let cell = center.neighbour(east, north);
            // Around a big shape all neighbours to one side are the same.
            let is_new = cells.len() == 1 || cells.last() != Some(&cell);
            if needed(east, north) && is_new {
                cells.push(cell);
            }
        }
        cells
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PALERMO: Point = Point { longitude: 13.361389, latitude: 38.115556 };
    const CATANIA: Point = Point { longitude: 15.087269, latitude: 37.502669 };

    /// What Redis 7.2 answers for the places of its documentation.
    #[test]
    fn numbers_are_those_of_redis() {
        assert_eq!(PALERMO.to_score(), 3479099956230698.0);
        assert_eq!(CATANIA.to_score(), 3479447370796909.0);
        assert_eq!(&Point::of_score(3479099956230698.0).to_geohash(), b"sqc8b49rny0");
        assert_eq!(&Point::of_score(3479447370796909.0).to_geohash(), b"sqdtr74hyu0");
        let (a, b) = (Point::of_score(3479099956230698.0), Point::of_score(3479447370796909.0));
        assert_eq!(a.longitude, 13.361389338970184);
        assert_eq!(a.latitude, 38.1155563954963);
        assert_eq!(format!("{:.4}", a.distance_m(b)), "166274.1516");
    }

    #[test]
    fn every_score_is_a_place() {
        for score in [0.0, -1.0, -1e300, 1e300, f64::INFINITY, 1.8e19, 9.3e18, 4503599627370496.0] {
            assert!(Point::of_score(score).is_valid(), "{score}");
        }
        assert_eq!(cell_number(-1.0), u64::MAX);
        assert_eq!(cell_number(f64::INFINITY), 0);
        assert_eq!(cell_number((1u64 << 63) as f64), 1 << 63);
    }

    fn point() -> impl Strategy<Value = Point> {
        (-180.0..=180.0f64, -85.05112878..=85.05112878f64)
            .prop_map(|(longitude, latitude)| Point { longitude, latitude })
    }

    proptest! {
        #[test]
        fn bits_by_turns(even: u32, odd: u32) {
            let number = interleave(even, odd);
            prop_assert_eq!(deinterleave(number), (even, odd));
            for bit in 0..32 {
                prop_assert_eq!(number >> (2 * bit) & 1, u64::from(even >> bit & 1));
                prop_assert_eq!(number >> (2 * bit + 1) & 1, u64::from(odd >> bit & 1));
            }
        }

        #[test]
        fn places_are_near_their_scores(point in point()) {
            let decoded = Point::of_score(point.to_score());
            prop_assert!(point.distance_m(decoded) < 1.0);
        }

        #[test]
        fn neighbours_are_found_back(point in point(), steps in 1..=26u32) {
            let cell = Cell::around(point, steps);
            for (east, north) in [(0, 1), (1, 0), (1, 1), (-1, 1)] {
                prop_assert_eq!(cell.neighbour(east, north).neighbour(-east, -north), cell);
            }
        }

        /// Whatever is within a shape that does not reach around the world is in one of its cells.
        #[test]
        fn cells_contain_the_shape(
            center in (-100.0..100.0f64, -60.0..60.0f64),
            offset in (-1.0..1.0f64, -1.0..1.0f64),
            (width, height) in (0.1..900.0f64, 0.1..900.0f64),
            circle: bool,
        ) {
            let center = Point { longitude: center.0, latitude: center.1 };
            let outline = match circle {
                true => Outline::Circle { radius: width },
                false => Outline::Box { width, height },
            };
            let shape = Shape { center, unit_m: 1000.0, outline };
            let scale = width.max(height) / 50.0;
            let point = Point {
                longitude: center.longitude + offset.0 * scale,
                latitude: center.latitude + offset.1 * scale / 2.0,
            };
            let point = Point::of_score(point.to_score());
            if shape.distance_m(point).is_some() {
                let score = point.to_score();
                let found = shape.cells().into_iter().any(|cell| {
                    let (min, max) = cell.scores();
                    (min..max).contains(&score)
                });
                prop_assert!(found);
            }
        }
    }
}
