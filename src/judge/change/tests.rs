//! Sequences of looks, and how the claim stands after each.

pub(in crate::judge) mod make;
mod property;
mod sequences;

use self::make::{Play, World};
use super::*;
use crate::model::requirement::Level;

/// Plays looks, one letter each, and compares how the claim stands after each of them.
#[track_caller]
fn check(looks: &str, expected: &str) {
    let mut world = World::new();
    let stands: String = looks.chars().map(|letter| world.play(Play::of(letter))).collect();
    assert_eq!(stands, expected, "after {looks}");
}

#[test]
fn a_change_waits_until_looks_agree() {
    // The first look at what was never proved changes nothing.
    check("C", "c");
    check("V", "v");
    check("UC", "uc");
    check("UUV", "uuv");
    // Neither the old state nor the new one until two agree.
    check("CVV", "c?v");
    check("CUU", "c?u");
    check("VCC", "v?c");
    check("VUU", "v?u");
    // What was there before takes as many looks to come back.
    check("CVCC", "c??c");
    check("CUCC", "c??c");
    check("CUUCC", "c?u?c");
    check("VVVVVVVVVVVVCC", "vvvvvvvvvvvv?c");
    check("CCCVVCC", "ccc?v?c");
    // Five looks that do not agree.
    check("CUCUCU", "c????d");
    check("CUCUCUU", "c????du");
    check("CUCUCUCC", "c????ddc");
}

#[test]
fn our_own_outage_says_nothing_of_the_partner() {
    check("COC", "coc");
    check("VOV", "vov");
    check("OC", "oc");
    // Another state than the one known is a change, as ever.
    check("COVV", "co?v");
    // What waits goes on waiting.
    check("CVOV", "c?ov");
    check("CVOCC", "c?o?c");
    // A clock that is wrong is as blind.
    check("CKC", "ckc");
}

#[test]
fn a_violation_met_again_within_ten_looks_stands() {
    check("CVCV", "c??i");
    // Whatever lay between.
    check("CVUV", "c??v");
    check("CVUUV", "c??uv");
    check("CVCUCV", "c????i");
    check("CVCCCCV", "c??ccci");
    // The violation does not hide behind good looks, until there are five in a row.
    check("CVCVCCCCC", "c??iiiiic");
    check("CVCVCCCCVCCCCC", "c??iiiiiiiiiic");
    // Nor because the other bad look is past the ten.
    check("CVCCCCCCVCCCCC", "c??ccccciiiiic");
    // An unknown look in between neither convicts nor clears.
    check("CVCVUUCCCCC", "c??iiiiiiic");
    // Where something was replaced, three looks at the new face will do.
    check("CVCVNNN", "c??iiic");
    // A violation that is over and past ten looks is forgotten.
    check("CVCCCCCCCCCCV", "c??ccccccccc?");
    // All bad looks together are one thing that broke, and was repaired.
    check("CCVVVVCC", "cc?vvv?c");
}

#[test]
fn more_confirmation_may_be_asked_for_and_none() {
    let mut world = World::new();
    world.rules.confirm = 1;
    assert_eq!(world.all("CVCUC"), "cvcuc");
    let mut world = World::new();
    world.rules.confirm = 3;
    assert_eq!(world.all("CVVVCCC"), "c??v??c");
    let mut world = World::new();
    world.rules.confirm = 0;
    assert_eq!(world.all("CVC"), "cvc");
    let mut world = World::new();
    world.rules.confirm = 7;
    assert_eq!(world.all("CUUUUUUU"), "c??????u");
}
