//! Random edits of random graphs: incremental equals from scratch, exactly what is new runs, and
//! the plan keeps its promise.

#[path = "toy/lab.rs"]
mod lab;
#[path = "toy/mod.rs"]
mod toy;

use std::collections::{BTreeSet, HashSet};
use std::fs;

use engine::Verdict;
use lab::Lab;
use proptest::prelude::*;
use toy::{Toy, graph, twin};

/// One stage of a random graph. Small moduli make results coincide, so that cut-offs happen.
#[derive(Debug, Clone)]
struct Spot {
    number: u64,
    modulus: u64,
    chooses: bool,
    reads: u32,
}

#[derive(Debug, Clone)]
enum Edit {
    Number(usize, u64),
    Modulus(usize, u64),
    Remove(usize),
    Add(usize, Spot),
    Code,
    Undo,
}

fn spot() -> impl Strategy<Value = Spot> {
    (0..3_u64, 1..4_u64, any::<bool>(), any::<u32>()).prop_map(
        |(number, modulus, chooses, reads)| Spot {
            number,
            modulus,
            chooses,
            reads,
        },
    )
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (any::<usize>(), 0..3_u64).prop_map(|(at, number)| Edit::Number(at, number)),
        2 => (any::<usize>(), 1..4_u64).prop_map(|(at, modulus)| Edit::Modulus(at, modulus)),
        1 => any::<usize>().prop_map(Edit::Remove),
        1 => (any::<usize>(), spot()).prop_map(|(at, spot)| Edit::Add(at, spot)),
        1 => Just(Edit::Code),
        1 => Just(Edit::Undo),
    ]
}

/// Names stay with their spots when others come and go.
fn study(spots: &[(usize, Spot)]) -> Vec<Toy> {
    let mut toys: Vec<Toy> = Vec::new();
    for (name, spot) in spots {
        let earlier: Vec<&Toy> = toys
            .iter()
            .filter(|toy| spot.reads >> (toy.name.len() % 32) & 1 == 1)
            .collect();
        let mut toy =
            Toy::sum(&"x".repeat(name + 1), spot.number, &[]).with("modulus", spot.modulus);
        toy.reads = earlier.iter().map(|toy| toy.name.clone()).collect();
        toy.bind = earlier
            .iter()
            .find(|toy| toy.kind == "choose")
            .map(|toy| toy.name.clone());
        if toy.bind.is_some() {
            toy.settings.remove("number");
        }
        toys.push(if spot.chooses {
            toy.kind("choose")
        } else {
            toy
        });
    }
    toys
}

fn apply(spots: &mut Vec<(usize, Spot)>, edit: &Edit, fresh: usize) {
    let len = spots.len().max(1);
    match edit.clone() {
        Edit::Number(at, number) if !spots.is_empty() => spots[at % len].1.number = number,
        Edit::Modulus(at, modulus) if !spots.is_empty() => spots[at % len].1.modulus = modulus,
        Edit::Remove(at) if !spots.is_empty() => drop(spots.remove(at % len)),
        Edit::Add(at, spot) => spots.insert(at % (spots.len() + 1), (fresh, spot)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn incremental_equals_from_scratch_and_exactly_what_is_new_runs(
        spots in prop::collection::vec(spot(), 1..9),
        edits in prop::collection::vec(edit(), 1..8),
    ) {
        let mut lab = Lab::new();
        let mut spots: Vec<(usize, Spot)> = spots.into_iter().enumerate().collect();
        let mut before = spots.clone();
        let mut known: HashSet<String> = HashSet::new();
        for (step, edit) in std::iter::once(&Edit::Undo).chain(&edits).enumerate() {
            let now = spots.clone();
            match edit {
                Edit::Undo => spots = before,
                Edit::Code => lab.code = if lab.code == "1" { "2" } else { "1" },
                edit => apply(&mut spots, edit, 100 + step),
            }
            before = now;
            let toys = study(&spots);
            // Stages with equal dependencies are one: what is new is counted by what it depends on.
            let depends = |code| -> BTreeSet<String> { twin(&toys, code).into_values().map(|(_, depends)| depends).collect() };
            let new = depends(lab.code).difference(&known.iter().cloned().collect()).count();
            let plan = lab.plan(&toys);
            let names = |which: fn(&Verdict) -> bool| -> BTreeSet<String> {
                let planned = plan.stages().iter().zip(&toys);
                planned.filter(|(planned, _)| which(&planned.verdict)).map(|(_, toy)| toy.name.clone()).collect()
            };
            let will = names(|verdict| matches!(verdict, Verdict::Run { .. }));
            let may = names(|verdict| matches!(verdict, Verdict::Run { .. } | Verdict::New { .. } | Verdict::Maybe { .. }));
            let ran: BTreeSet<String> = lab.ran(&toys).into_iter().collect();
            prop_assert_eq!(ran.len(), new, "ran {:?}", ran);
            prop_assert!(will.is_subset(&ran), "{:?} will run, {:?} ran", will, ran);
            prop_assert!(ran.is_subset(&may), "{:?} ran, {:?} may run", ran, may);
            prop_assert_eq!(graph(&toys).len(), toys.len());
            known.extend(depends(lab.code));
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Damage {
    Delete,
    Empty,
    Cut,
    Flip,
}

fn harm(lab: &Lab, which: usize, damage: Damage) {
    let mut files = Vec::new();
    let mut folders = vec![lab.path("cache")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    let Some(path) = files.get(which % files.len().max(1)) else {
        return;
    };
    let mut bytes = fs::read(path).unwrap();
    fs::remove_file(path).unwrap();
    match damage {
        Damage::Delete => return,
        Damage::Empty => bytes.clear(),
        Damage::Cut => bytes.truncate(bytes.len() / 2),
        Damage::Flip => {
            if let Some(byte) = bytes.get_mut(which % 97) {
                *byte ^= 4;
            }
        }
    }
    fs::write(path, bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_damaged_the_results_are_those_from_scratch(
        spots in prop::collection::vec(spot(), 1..9),
        edits in prop::collection::vec(edit(), 1..4),
        damages in prop::collection::vec(
            (any::<usize>(), prop::sample::select(vec![Damage::Delete, Damage::Empty, Damage::Cut, Damage::Flip])),
            1..12,
        ),
    ) {
        let lab = Lab::new();
        let mut spots: Vec<(usize, Spot)> = spots.into_iter().enumerate().collect();
        lab.ran(&study(&spots));
        for (which, damage) in damages {
            harm(&lab, which, damage);
        }
        for (step, edit) in edits.iter().enumerate() {
            let toys = study(&spots);
            let mut options = lab.options();
            options.verify = graph(&toys).ids().collect();
            let run = lab.run_with(&toys, &options);
            prop_assert!(run.summary.complete(), "{:?}", run.summary);
            lab.check(&toys, &run.summary);
            prop_assert!(lab.ran(&toys).is_empty(), "all damage was made good");
            apply(&mut spots, edit, 100 + step);
        }
    }
}
