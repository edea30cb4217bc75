//! The index: for each property of a request, which rules may match.
//!
//! Rules go by groups of 32. A line stands for a dimension and holds a set of rules for each of its 16 places; the rules that are left after all lines are
//! evaluated in order. So what a request costs grows with what is asked about, not with the number of rules.

use super::bucket::BUCKETS;
use super::code::Code;
use super::field::{Dimension, DIMENSIONS};
use super::form::{GROUP_RULES, LINE_BYTES};

/// A rule's instructions by its place in its group.
pub(super) trait Group<'p> {
    /// Rules of the group.
    fn len(&self) -> usize;
    /// Those of one of them.
    fn rule(&self, number: usize) -> Option<Code<'p>>;
}

/// The dimensions that some rule of the group asks about.
fn dimensions_of<'p>(group: &impl Group<'p>) -> [bool; DIMENSIONS] {
    let mut asked = [false; DIMENSIONS];
    for rule in (0..group.len()).filter_map(|number| group.rule(number)) {
        for test in rule.tests() {
            for dimension in test.criterion.dimensions() {
                asked[*dimension as usize] = true;
            }
        }
    }
    asked
}

/// The set of all rules of a group.
pub(super) const fn all(rules: usize) -> u32 {
    if rules >= GROUP_RULES {
        u32::MAX
    } else {
        (1 << rules) - 1
    }
}

/// The lines of a group, in order; those that tell no rules apart are left out.
pub(super) fn lines<'p>(group: impl Group<'p>) -> impl Iterator<Item = [u8; LINE_BYTES]> {
    let asked = dimensions_of(&group);
    let all = all(group.len());
    Dimension::ALL
        .into_iter()
        .filter(move |dimension| asked[*dimension as usize])
        .filter_map(move |dimension| {
            let mut line = [0; LINE_BYTES];
            line[0] = dimension as u8;
            let mut tells = false;
            for place in 0..BUCKETS {
                let mut rules = 0;
                for number in 0..group.len() {
                    let may_hold = group
                        .rule(number)
                        .is_some_and(|rule| rule.may_hold_at(dimension, place));
                    rules |= u32::from(may_hold) << number;
                }
                tells |= rules != all;
                let at = 4 + 4 * usize::from(place);
                line[at..at + 4].copy_from_slice(&rules.to_le_bytes());
            }
            tells.then_some(line)
        })
}
