//! What a copy answers, call by call.

use std::time::Duration;

use fleet::{Beat, CopyId, Held, Member, Out, Reply, Request, Terms, Ticket, Verdict};

const NOW: Duration = Duration::ZERO;

fn member() -> Member<u32> {
    let run = "study/run";
    let me = CopyId::from(format!("{run}/me"));
    Member::new(me, run.to_owned(), Terms::default(), NOW)
}

fn asked(member: &mut Member<u32>) -> (Ticket, Request<u32>) {
    match member.poll() {
        Some(Out::Request(ticket, request)) => (ticket, request),
        other => panic!("a request is expected, not {other:?}"),
    }
}

fn reply(member: &mut Member<u32>, ticket: Ticket, reply: Reply<Beat<u32>>) {
    member.reply(NOW, ticket, reply);
}

#[test]
fn who_wants_a_stage_whose_record_is_lost_gets_to_run_it_however_late_the_beats_come() {
    let mut member = member();
    let (own_beat, _) = asked(&mut member);
    // A worker stands ready before anything is known of the others.
    member.pursue(NOW, 7, 0);
    reply(&mut member, own_beat, Reply::Created);
    let (beats, _) = asked(&mut member);
    let other = Beat {
        run: "study/run".to_owned(),
        counter: 1,
        holds: Vec::new(),
        settled: vec![7],
        ended: true,
    };
    let other = (CopyId::from("study/run/other".to_owned()), other);
    reply(&mut member, beats, Reply::Beats(vec![other]));
    let (look, request) = asked(&mut member);
    assert_eq!(request, Request::Look(7));
    reply(&mut member, look, Reply::Missing);
    let (claim, request) = asked(&mut member);
    assert!(matches!(request, Request::Claim(7, 1, _)), "{request:?}");
    reply(&mut member, claim, Reply::Created);
    let (again, request) = asked(&mut member);
    assert_eq!(request, Request::Look(7));
    reply(&mut member, again, Reply::Missing);
    assert!(matches!(
        member.poll(),
        Some(Out::Verdict(Verdict::Run {
            stage: 7,
            attempt: 1
        }))
    ));
}

#[test]
fn many_replies_lost_at_once_make_one_pause_and_all_is_asked_again_once_the_store_answers() {
    let mut member = member();
    let (beat, _) = asked(&mut member);
    for stage in 0..6 {
        member.publish(NOW, stage);
    }
    let requests: Vec<(Ticket, Request<u32>)> = (0..6).map(|_| asked(&mut member)).collect();
    for (ticket, _) in &requests {
        reply(&mut member, *ticket, Reply::Lost);
    }
    assert!(matches!(
        member.poll(),
        Some(Out::Verdict(Verdict::Unreachable))
    ));
    assert_eq!(member.poll(), None);
    assert_eq!(member.due(), Duration::from_secs(1), "the first pause");
    let soon = Duration::from_millis(300);
    member.reply::<Beat<u32>>(soon, beat, Reply::Created);
    let again: Vec<Out<u32>> = std::iter::from_fn(|| member.poll()).collect();
    assert_eq!(again[0], Out::Verdict(Verdict::Reachable));
    for (stage, out) in again[1..7].iter().enumerate() {
        let Out::Request(_, request) = out else {
            panic!("a request is expected, not {out:?}")
        };
        assert_eq!(*request, Request::Publish(stage as u32));
    }
}

#[test]
fn who_begins_alone_soon_sees_another_and_tells_it_at_once_what_is_published() {
    let mut member = member();
    let (beat, _) = asked(&mut member);
    reply(&mut member, beat, Reply::Created);
    let (mut now, mut looks) = (NOW, 0);
    while now < Duration::from_secs(10) {
        let (beats, request) = asked(&mut member);
        assert!(matches!(request, Request::Beats(_)), "{request:?}");
        member.reply::<Beat<u32>>(now, beats, Reply::Beats(Vec::new()));
        looks += 1;
        let next = member.due();
        assert!(next <= now * 2 + Duration::from_secs(1), "{next:?}");
        now = next;
        member.tick(now);
    }
    assert!(looks <= 12, "{looks} looks");
    let (beats, _) = asked(&mut member);
    let other = Beat {
        run: "study/run".to_owned(),
        counter: 1,
        holds: Vec::new(),
        settled: Vec::new(),
        ended: false,
    };
    let other = (CopyId::from("study/run/other".to_owned()), other);
    member.reply(now, beats, Reply::Beats(vec![other]));
    member.publish(now, 7);
    let (publish, _) = asked(&mut member);
    member.reply::<Beat<u32>>(now, publish, Reply::Created);
    assert!(matches!(
        member.poll(),
        Some(Out::Verdict(Verdict::Settled { stage: 7, .. }))
    ));
    let soon = member.due();
    assert!(soon < now + Duration::from_secs(1), "{soon:?}");
    member.tick(soon);
    let (_, request) = asked(&mut member);
    assert!(
        matches!(&request, Request::Beat(beat) if beat.settled == [7]),
        "{request:?}"
    );
}

#[test]
fn the_first_beat_that_is_read_of_a_copy_is_no_sign_of_life_and_the_next_one_is() {
    let mut member = member();
    let (own_beat, _) = asked(&mut member);
    reply(&mut member, own_beat, Reply::Created);
    let beat = |counter| {
        let holds = vec![Held {
            stage: 7,
            attempt: 1,
            depth: 0,
        }];
        let beat = Beat {
            run: "study/run".to_owned(),
            counter,
            holds,
            settled: Vec::new(),
            ended: false,
        };
        Reply::Beats(vec![(CopyId::from("study/run/other".to_owned()), beat)])
    };
    let (first, _) = asked(&mut member);
    reply(&mut member, first, beat(9));
    assert!(!member.has_heard_of(7, NOW), "it may be long gone");
    for (counter, heard) in [(9, false), (10, true)] {
        let mut is_read = false;
        while !is_read {
            let now = member.due();
            member.tick(now);
            let out: Vec<Out<u32>> = std::iter::from_fn(|| member.poll()).collect();
            for out in out {
                match out {
                    Out::Request(ticket, Request::Beats(_)) => {
                        member.reply(now, ticket, beat(counter));
                        is_read = true;
                    }
                    Out::Request(ticket, _) => {
                        member.reply::<Beat<u32>>(now, ticket, Reply::Created);
                    }
                    Out::Verdict(_) => {}
                }
            }
        }
        assert_eq!(member.has_heard_of(7, NOW), heard);
    }
}
