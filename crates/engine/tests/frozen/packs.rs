//! What copies learn of results from packs, and what without.

use engine::{Event, Remote};

use super::lab::Lab;
use super::toy::Toy;
use super::{freeze, outputs, study, take_part, thaw};

#[test]
fn a_result_that_is_in_no_pack_is_found_when_its_stage_is_claimed() {
    let lab = Lab::fleet();
    let study = study(&lab);
    let plan = freeze(&lab, &study).plan_id();
    // Brought there after the plan was frozen, by who makes no attempts and leaves no beat.
    let alone = lab.run(&study);
    let store = lab.store();
    let remote = Remote::open(&lab.path("remote"), &store).unwrap();
    let moved = remote.push(&store, &store.all_results().unwrap()).unwrap();
    assert_eq!(moved.new, study.len());
    let begun = lab.begun();
    let frozen = thaw(&lab, &plan);
    let mut leaves = lab.options();
    leaves.sharing.leave = vec!["sum".to_owned()];
    for (machine, options) in [("claims", lab.options()), ("leaves", leaves)] {
        let copy = take_part(&lab, machine, &plan, options).unwrap();
        assert_eq!(copy.summary.cached(), study.len(), "{machine}");
        assert_eq!(
            outputs(&frozen, &copy.summary),
            outputs(&frozen, &alone.summary)
        );
    }
    assert_eq!(lab.begun(), begun, "nothing ran again");
}

#[test]
fn who_comes_later_takes_what_others_have_published_so_far_in_packs() {
    let lab = Lab::fleet();
    let mut study: Vec<Toy> = (0..200)
        .map(|number| Toy::sum(&format!("run/{number}"), number, &[]))
        .collect();
    study.push(Toy::sum("long", 7, &[]).with("beats", 1000));
    let plan = freeze(&lab, &study).plan_id();
    let store = lab.store_of("looker");
    let remote = store.remote().unwrap();
    let settled = || {
        let copies = remote.copies(&plan).unwrap();
        copies.first().map_or(0, |copy| copy.settled)
    };
    std::thread::scope(|scope| {
        let first = scope.spawn(|| take_part(&lab, "a", &plan, lab.options()).unwrap());
        Lab::wait_until(|| settled() == 200);
        let second = take_part(&lab, "b", &plan, lab.options()).unwrap();
        let first = first.join().unwrap();
        assert_eq!((first.summary.ran(), lab.begun()), (201, 201));
        let taken = (second.summary.cached(), second.summary.elsewhere());
        assert_eq!(taken, (200, 1));
        assert!(second.asked < 100, "{} requests", second.asked);
        let of_others = second.events.iter().filter_map(|event| match event {
            Event::Others { done, .. } => Some(done.len()),
            _ => None,
        });
        // But for those that it had been about to claim.
        assert!((196..=200).contains(&of_others.sum::<usize>()));
    });
}
