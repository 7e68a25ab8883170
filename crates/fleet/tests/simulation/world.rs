//! Machines, a network and a store that misbehave as told, on one clock that only the simulation sees.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::rc::Rc;

use fleet::{
    Beat, CopyId, LAPSES, Member, Out, Reply, Request, StageStatus, Terms, Ticket, Verdict,
};

use super::chance::Chance;
use super::clock::{Clock, SECOND, Time};
use super::faults::{Ended, Faults};
use super::store::{Stage, Store};

enum Event {
    /// A request arrives at the store.
    Request(usize, Ticket, Request<Stage>),
    /// A reply arrives at a copy.
    Reply(usize, Ticket, Reply<Rc<Beat<Stage>>>),
    /// A copy looks at its timers.
    Timer(usize),
    /// An execution is half done, and leaves a checkpoint.
    Half(usize, u64),
    /// An execution is done.
    Done(usize, u64),
    Thaw(usize),
}

struct Copy {
    id: CopyId,
    member: Member<Stage>,
    clock: Clock,
    dead: bool,
    gone: bool,
    frozen: Option<Vec<Event>>,
    /// Where it is in its own order of the stages.
    cursor: Stage,
    stride: Stage,
    start: Stage,
    again: Vec<Stage>,
    settled: HashSet<Stage>,
    /// Results of others that it has not taken: it does once it has nothing else to do.
    known: Vec<Stage>,
    failed: HashSet<Stage>,
    pursues: bool,
    /// The stage that it executes, and the number of the execution.
    executes: Option<(Stage, u64)>,
    /// When its timer is set to.
    timer: Time,
    counter: u64,
    /// When the store last took in a new beat of it, and when a long pause between two of them last ended.
    beat: Time,
    pause_ended: Option<Time>,
}

/// A copy that has a stage.
#[derive(Debug, Clone, Copy)]
struct Having {
    copy: usize,
    attempt: u32,
}

pub(crate) struct World {
    faults: Faults,
    terms: Terms,
    chance: Chance,
    stages: Stage,
    retries: u32,
    /// Durations of stages in seconds.
    long: (u64, u64),
    now: Time,
    queue: BinaryHeap<Reverse<(Time, u64)>>,
    events: HashMap<u64, Event>,
    sequence: u64,
    store: Store,
    copies: Vec<Copy>,
    outages: Vec<(Time, Time)>,
    executions: u64,
    /// Copies that have a stage: they execute it, or have not heard yet that their result is there.
    have: BTreeMap<Stage, Vec<Having>>,
    pub(crate) ended: Ended,
}

impl World {
    pub(crate) fn new(
        seed: u64,
        copies: u32,
        stages: Stage,
        long: (u64, u64),
        faults: Faults,
    ) -> Self {
        // A stage that kills its machines is known for that to those who come later only where the run lasts.
        let lasting = faults.killers > 0 || !seed.is_multiple_of(3);
        let mut chance = Chance::new(seed);
        let mut outages = Vec::new();
        if faults.outages {
            for _ in 0..2 {
                let start = chance.between(0, 1200) * SECOND;
                outages.push((start, start + chance.between(20, 480) * SECOND));
            }
        }
        let mut world = Self {
            faults,
            terms: Terms {
                lasting,
                ..Terms::default()
            },
            chance,
            stages,
            retries: 1,
            long,
            now: 0,
            queue: BinaryHeap::new(),
            events: HashMap::new(),
            sequence: 0,
            store: Store::default(),
            copies: Vec::new(),
            outages,
            executions: 0,
            have: BTreeMap::new(),
            ended: Ended::default(),
        };
        for _ in 0..copies {
            world.start_copy();
        }
        world
    }

    /// Lets it run until all copies have left.
    pub(crate) fn run(mut self) -> Ended {
        while let Some(Reverse((time, number))) = self.queue.pop() {
            self.now = time;
            assert!(time < 10 * 24 * 3600 * SECOND, "it comes to no end");
            let event = self.events.remove(&number).expect("every event is there");
            self.happen(event);
        }
        for stage in 0..self.stages {
            let has_result = self.store.records.contains_key(&stage);
            let failures = self.store.failures.iter().filter(|(at, _)| at.0 == stage);
            let (last, counted): (Vec<_>, Vec<_>) = failures.partition(|(_, failure)| failure.last);
            let (given_up, counted) = (!last.is_empty(), counted.len());
            assert!(
                has_result || counted as u32 > self.retries || given_up,
                "stage {stage} has no result and {counted} failures"
            );
            self.ended.results += usize::from(has_result);
            self.ended.failed += usize::from(!has_result);
        }
        for copy in self.copies.iter().filter(|copy| !copy.dead) {
            let known = copy.settled.len() + copy.failed.len();
            assert_eq!(known as u32, self.stages, "{} knows how all ended", copy.id);
        }
        self.ended.asked = self.store.asked;
        self.ended.executed = self.executions;
        self.ended.seconds = self.now / SECOND;
        self.ended
    }

    fn start_copy(&mut self) {
        let number = self.copies.len();
        let id = CopyId::from(format!("run/{number}"));
        let clock = Clock {
            offset: self.chance.between(0, 1_000_000) * SECOND,
            rate: 0.97 + self.chance.between(0, 60) as f64 / 1000.0,
        };
        let now = clock.shows(self.now);
        let strides = [7, 11, 13, 17, 19, 23, 29, 31];
        let copy = Copy {
            member: Member::new(id.clone(), "run".to_owned(), self.terms, now),
            id,
            clock,
            dead: false,
            gone: false,
            frozen: None,
            cursor: 0,
            stride: strides[self.chance.between(0, 8) as usize],
            start: self.chance.between(0, self.stages.into()) as Stage,
            again: Vec::new(),
            settled: HashSet::new(),
            known: Vec::new(),
            failed: HashSet::new(),
            pursues: false,
            executes: None,
            timer: Time::MAX,
            counter: 0,
            beat: self.now,
            pause_ended: None,
        };
        self.copies.push(copy);
        self.go_on(number);
    }

    fn at(&mut self, time: Time, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse((time, self.sequence)));
        self.events.insert(self.sequence, event);
    }

    fn happen(&mut self, event: Event) {
        let of = match event {
            Event::Request(from, ticket, request) => {
                self.arrive(from, ticket, request);
                return;
            }
            Event::Thaw(of) => {
                let missed = self.copies[of].frozen.take().unwrap_or_default();
                for event in missed {
                    self.happen(event);
                }
                self.copies[of].timer = self.now;
                self.happen(Event::Timer(of));
                return;
            }
            Event::Reply(of, ..) | Event::Timer(of) | Event::Half(of, _) | Event::Done(of, _) => of,
        };
        if self.copies[of].dead {
            return;
        }
        // One that was set before a sooner one.
        if matches!(event, Event::Timer(_)) && self.copies[of].timer != self.now {
            return;
        }
        if let Some(missed) = &mut self.copies[of].frozen {
            missed.push(event);
            return;
        }
        let copy = &mut self.copies[of];
        let now = copy.clock.shows(self.now);
        match event {
            Event::Reply(_, ticket, reply) => copy.member.reply(now, ticket, reply),
            Event::Timer(_) => {
                copy.timer = Time::MAX;
                copy.member.tick(now);
            }
            Event::Half(_, number) => {
                if let Some((stage, _)) = copy.executes.filter(|it| it.1 == number) {
                    copy.member.checkpoint(now, stage, 1);
                }
            }
            Event::Done(_, number) => {
                if let Some((stage, _)) = copy.executes.filter(|it| it.1 == number) {
                    self.end_execution(of, stage);
                }
            }
            Event::Request(..) | Event::Thaw(_) => {}
        }
        self.go_on(of);
    }

    /// A request at the store.
    fn arrive(&mut self, from: usize, ticket: Ticket, request: Request<Stage>) {
        let now = self.now;
        let away = |&(start, end): &(Time, Time)| start <= now && now < end;
        let reply = if self.outages.iter().any(away) {
            // Half of them hang.
            if self.chance.happens(0.5) {
                return;
            }
            Reply::Lost
        } else {
            let counter = match &request {
                Request::Beat(beat) => beat.counter,
                _ => 0,
            };
            let reply = self.store.answer(&self.copies[from].id, request);
            let copy = &mut self.copies[from];
            if counter > copy.counter {
                copy.counter = counter;
                if now - copy.beat > 4 * 60 * SECOND {
                    copy.pause_ended = Some(now);
                }
                copy.beat = now;
            }
            reply
        };
        if let Some(delay) = self.delay() {
            self.at(now + delay, Event::Reply(from, ticket, reply));
        }
    }

    /// How long a message is on its way; none if it is lost.
    fn delay(&mut self) -> Option<Time> {
        if self.faults.lost > 0.0 && self.chance.happens(self.faults.lost) {
            None
        } else if self.faults.late > 0.0 && self.chance.happens(self.faults.late) {
            Some(self.chance.between(SECOND, 600 * SECOND))
        } else {
            Some(self.chance.between(1_000, 50_000))
        }
    }

    /// Carries out what a copy's member wants, gives it something to do, and sets its timer.
    fn go_on(&mut self, of: usize) {
        loop {
            while let Some(out) = self.copies[of].member.poll() {
                match out {
                    Out::Request(ticket, request) => {
                        if let Some(delay) = self.delay() {
                            self.at(self.now + delay, Event::Request(of, ticket, request));
                        }
                    }
                    Out::Verdict(verdict) => self.heed(of, &verdict),
                }
            }
            if !self.find_work(of) {
                break;
            }
        }
        let copy = &mut self.copies[of];
        if copy.gone && copy.member.is_quiet() {
            return;
        }
        let due = copy.clock.when(copy.member.due()).max(self.now);
        if due < copy.timer {
            copy.timer = due;
            self.at(due, Event::Timer(of));
        }
    }

    fn heed(&mut self, of: usize, verdict: &Verdict<Stage>) {
        let copy = &mut self.copies[of];
        match *verdict {
            Verdict::Run { stage, attempt } => {
                copy.pursues = false;
                self.execute(of, stage, attempt);
            }
            Verdict::There { stage } => {
                copy.pursues = false;
                copy.settled.insert(stage);
                assert!(self.store.records.contains_key(&stage));
            }
            Verdict::Failed { stage, .. } => {
                copy.pursues = false;
                copy.failed.insert(stage);
            }
            Verdict::Busy { .. } => {
                copy.pursues = false;
                self.ended.met += 1;
            }
            Verdict::Absent { stage } | Verdict::Again { stage } => copy.again.push(stage),
            Verdict::Superseded { stage } => {
                copy.executes = None;
                self.has_no_more(of, stage);
            }
            Verdict::Settled { stage, own } => {
                copy.settled.insert(stage);
                let record = &self.store.records[&stage];
                assert!(
                    !own || *record == self.copies[of].id,
                    "no result is replaced"
                );
                self.has_no_more(of, stage);
            }
            Verdict::Unreachable | Verdict::Reachable => {}
        }
    }

    /// Whether it has found something to ask for.
    fn find_work(&mut self, of: usize) -> bool {
        let copy = &mut self.copies[of];
        if copy.gone || copy.pursues || copy.executes.is_some() {
            return false;
        }
        let now = copy.clock.shows(self.now);
        // A copy that does not reach the store claims nothing, unless it is alone.
        let may_claim = copy.member.is_reachable() || copy.member.is_alone();
        loop {
            if !may_claim {
                break;
            }
            let stage = if let Some(stage) = copy.again.pop() {
                stage
            } else if copy.cursor < self.stages {
                copy.cursor += 1;
                let place = u64::from(copy.start) + u64::from(copy.cursor) * u64::from(copy.stride);
                (place % u64::from(self.stages)) as Stage
            } else {
                break;
            };
            if copy.settled.contains(&stage) || copy.failed.contains(&stage) {
                continue;
            }
            match copy.member.status(stage) {
                StageStatus::Done => {
                    copy.settled.insert(stage);
                    copy.known.push(stage);
                }
                StageStatus::Busy => copy.member.wait_for(stage),
                StageStatus::Free => {
                    copy.pursues = true;
                    copy.member.hungry(now, false);
                    copy.member.pursue(now, stage, self.retries);
                    return true;
                }
            }
        }
        for stage in std::mem::take(&mut copy.known) {
            self.store.take(&copy.id, stage);
        }
        let known = copy.settled.len() + copy.failed.len();
        if known as u32 == self.stages {
            copy.gone = true;
            copy.member.leave(now);
            return true;
        }
        copy.member.hungry(now, true);
        false
    }

    fn execute(&mut self, of: usize, stage: Stage, attempt: u32) {
        self.check_double_work(of, stage, attempt);
        self.have
            .entry(stage)
            .or_default()
            .push(Having { copy: of, attempt });
        self.executions += 1;
        let number = self.executions;
        self.copies[of].executes = Some((stage, number));
        let lasts = self.chance.between(self.long.0, self.long.1) * SECOND;
        let crashes = stage < self.faults.killers || self.chance.happens(self.faults.crash);
        if crashes {
            let copy = &mut self.copies[of];
            copy.dead = true;
            copy.executes = None;
            for having in self.have.values_mut() {
                having.retain(|it| it.copy != of);
            }
            self.start_copy();
            return;
        }
        let mut stands = 0;
        if self.chance.happens(self.faults.freeze) {
            stands = self.chance.between(SECOND, 900 * SECOND);
            self.copies[of].frozen = Some(Vec::new());
            self.at(self.now + stands, Event::Thaw(of));
        }
        self.at(self.now + stands + lasts / 2, Event::Half(of, number));
        self.at(self.now + stands + lasts, Event::Done(of, number));
    }

    /// Nobody executes what another copy has, or what has a result, unless that copy's beats were late.
    fn check_double_work(&mut self, of: usize, stage: Stage, attempt: u32) {
        let others: Vec<Having> = self.have.get(&stage).cloned().unwrap_or_default();
        let has_result = self.store.records.contains_key(&stage);
        if others.is_empty() && !has_result {
            return;
        }
        self.ended.doubled += 1;
        let recently = self.now.saturating_sub(15 * 60 * SECOND);
        let was_late = |copy: &Copy| {
            // Or an older beat, long on its way, has taken the place of its newest one.
            let hidden = self.store.counter(&copy.id) < copy.counter;
            hidden
                || self.now - copy.beat > 4 * 60 * SECOND
                || copy.pause_ended.is_some_and(|ended| ended > recently)
        };
        // Its result may have come in after it had asked for it.
        let maker = self.store.records.get(&stage);
        let makers = self.copies.iter().filter(|copy| Some(&copy.id) == maker);
        let excused = attempt == 0
            || others.iter().any(|other| other.attempt == 0)
            || makers
                .chain(others.iter().map(|other| &self.copies[other.copy]))
                .any(was_late)
            || was_late(&self.copies[of]);
        assert!(
            excused,
            "{} executes {stage} beside {others:?}, who are not late",
            self.copies[of].id
        );
    }

    fn end_execution(&mut self, of: usize, stage: Stage) {
        let copy = &mut self.copies[of];
        copy.executes = None;
        let now = copy.clock.shows(self.now);
        if self.chance.happens(self.faults.fails) {
            let failures = copy.member.failed(now, stage, "told to", "");
            if failures > self.retries {
                copy.failed.insert(stage);
            } else {
                copy.again.push(stage);
            }
            self.has_no_more(of, stage);
        } else {
            copy.member.publish(now, stage);
        }
    }

    fn has_no_more(&mut self, of: usize, stage: Stage) {
        if let Some(having) = self.have.get_mut(&stage) {
            having.retain(|it| it.copy != of);
        }
    }
}

/// As many as the crate says: the simulation counts on it.
const _: () = assert!(LAPSES == 3);
