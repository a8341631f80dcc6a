//! Members at random, for ZRANDMEMBER.

use std::collections::HashSet;

use super::{Repr, Zset};
use crate::base::rng::Rng;
use crate::data::listpack::Element;

/// Above one member in so many, choosing walks all members instead of drawing until there are
/// enough different ones (Redis: ZRANDMEMBER_SUB_STRATEGY_MUL).
const SAMPLED_SHARE: usize = 3;

impl Zset {
    /// `count` members at random, any of them again and again. There must be one.
    pub fn pick<'a>(
        &'a self,
        rng: &mut Rng,
        count: usize,
        mut visit: impl FnMut(Element<'a>, f64),
    ) {
        match &self.0 {
            Repr::Packed(packed) if count == 1 => {
                let rank = rng.below(self.len() as u64) as usize;
                packed.range(rank..rank + 1).for_each(|(member, score)| visit(member, score));
            }
            Repr::Packed(_) => {
                let all: Vec<_> = self.iter().collect();
                for _ in 0..count {
                    let (member, score) = all[rng.below(all.len() as u64) as usize];
                    visit(member, score);
                }
            }
            Repr::Scores(scores) => {
                for (member, score, _) in (0..count).map_while(|_| scores.random(rng)) {
                    visit(Element::Bytes(member), score);
                }
            }
        }
    }

    /// `count` different members at random, or all if there are no more.
    pub fn sample<'a>(
        &'a self,
        rng: &mut Rng,
        count: usize,
        mut visit: impl FnMut(Element<'a>, f64),
    ) {
        if let Repr::Scores(scores) = &self.0
            && count < scores.len() / SAMPLED_SHARE
        {
            let mut chosen = HashSet::with_capacity(count);
            while chosen.len() < count {
                let Some((member, score, number)) = scores.random(rng) else { return };
                if chosen.insert(number) {
                    visit(Element::Bytes(member), score);
                }
            }
            return;
        }
        // Each of those that are left is taken with the share that is still wanted.
        let mut wanted = count.min(self.len());
        for ((member, score), left) in self.iter().zip((1..=self.len()).rev()) {
            if wanted == 0 {
                return;
            }
            if rng.below(left as u64) < wanted as u64 {
                wanted -= 1;
                visit(member, score);
            }
        }
    }
}
