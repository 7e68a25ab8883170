//! What a copy answers, call by call.

use std::time::Duration;

use fleet::{Beat, CopyId, Member, Out, Reply, Request, Terms, Ticket, Verdict};

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
