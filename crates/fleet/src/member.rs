//! One copy of the program, as a machine: calls and replies in, requests and verdicts out.

mod beats;
mod claims;
mod replies;

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use crate::stage::{InFlight, Stage, Step};
use crate::watch::Watch;
use crate::{
    Beat, CopyId, Failure, Held, Out, Reply, Request, StageStatus, Terms, Ticket, Verdict,
};

/// First and longest pause before a request is made again whose reply is lost.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// A copy. See the crate's documentation.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own"
)]
pub struct Member<K> {
    pub(crate) me: CopyId,
    pub(crate) run: String,
    pub(crate) terms: Terms,
    pub(crate) stages: HashMap<K, Stage>,
    /// What beats list.
    held: HashMap<K, Held<K>>,
    published: Vec<K>,
    /// Results that other copies have published.
    known: HashSet<K>,
    copies: HashMap<CopyId, usize>,
    watches: Vec<Watch<K>>,
    /// How many of them may be at work, by the last beats.
    living: usize,
    /// Stages that the beats of others list, and whose.
    listed: HashMap<K, usize>,
    waiting: BTreeSet<K>,
    queued: Vec<K>,
    in_flight: HashMap<Ticket, InFlight<Request<K>>>,
    timers: BTreeSet<(Duration, Ticket)>,
    tickets: u64,
    out: VecDeque<Out<K>>,
    counter: u64,
    wrote: Duration,
    writing: bool,
    /// Whether its next beat says something new.
    news: bool,
    /// When it was made.
    began: Duration,
    read: Duration,
    reading: bool,
    reads_begun: u64,
    /// Whether it has nothing to do but to wait for others, since when, or since when they said nothing new.
    hungry: Option<Duration>,
    /// Whether it has met a claim that the beats did not tell of.
    stale: bool,
    introduced: bool,
    ending: bool,
    /// The pause before the next attempt to reach the store, while it does not answer.
    outage: Option<Duration>,
    /// When that pause began to hold.
    paused: Duration,
}

impl<K: Copy + Ord + Hash> Member<K> {
    /// A copy that begins. Its name is new.
    pub fn new(me: CopyId, run: String, terms: Terms, now: Duration) -> Self {
        let mut member = Self {
            me,
            run,
            terms,
            stages: HashMap::new(),
            held: HashMap::new(),
            published: Vec::new(),
            known: HashSet::new(),
            copies: HashMap::new(),
            watches: Vec::new(),
            living: 0,
            listed: HashMap::new(),
            waiting: BTreeSet::new(),
            queued: Vec::new(),
            in_flight: HashMap::new(),
            timers: BTreeSet::new(),
            tickets: 0,
            out: VecDeque::new(),
            counter: 0,
            wrote: now,
            writing: false,
            news: false,
            began: now,
            read: now,
            reading: false,
            reads_begun: 0,
            hungry: None,
            stale: false,
            introduced: false,
            ending: false,
            outage: None,
            paused: now,
        };
        member.write(now);
        member
    }

    /// The next thing to do, if there is one.
    pub fn poll(&mut self) -> Option<Out<K>> {
        self.out.pop_front()
    }

    /// How a stage stands. Asks nobody.
    pub fn status(&self, stage: K) -> StageStatus {
        if self.known.contains(&stage) {
            StageStatus::Done
        } else if self.is_listed(stage) || self.waiting.contains(&stage) {
            StageStatus::Busy
        } else {
            StageStatus::Free
        }
    }

    /// Takes note of records that the store was found to have.
    pub fn learn(&mut self, stages: impl IntoIterator<Item = K>) {
        self.known.extend(stages);
    }

    /// Wants to execute a stage, which may fail so often beyond the first time. The verdict is one of
    /// [`Run`](Verdict::Run), [`There`](Verdict::There), [`Busy`](Verdict::Busy) and [`Failed`](Verdict::Failed).
    pub fn pursue(&mut self, now: Duration, stage: K, retries: u32) {
        let known = self.stages.entry(stage).or_default();
        debug_assert!(matches!(known.step, Step::Idle | Step::Waiting));
        known.retries = retries;
        self.waiting.remove(&stage);
        if self.introduced {
            self.begin(now, stage);
        } else {
            self.step(stage, Step::Queued);
            self.queued.push(stage);
        }
    }

    /// Looks whether a stage has a result by now: [`There`](Verdict::There) or [`Absent`](Verdict::Absent).
    pub fn look(&mut self, now: Duration, stage: K) {
        self.waiting.remove(&stage);
        self.ask(now, stage, Step::Looking, Request::Look(stage));
    }

    /// Wants to be told [`Again`](Verdict::Again) when a stage is no longer another copy's.
    pub fn wait_for(&mut self, stage: K) {
        self.step(stage, Step::Waiting);
        self.waiting.insert(stage);
    }

    /// A checkpoint of a stage that this copy executes is stored, at this depth.
    pub fn checkpoint(&mut self, now: Duration, stage: K, depth: u64) {
        if let Some(held) = self.held.get_mut(&stage) {
            held.depth = held.depth.max(depth);
        }
        let own = self.stages.entry(stage).or_default().own;
        if self.stages[&stage].step == Step::Held && own > 0 {
            let request = Request::ReadClaim(stage, own + 1);
            self.ask(now, stage, Step::Checking, request);
        }
    }

    /// This copy has a result: the verdict is [`Settled`](Verdict::Settled), however long that takes.
    pub fn publish(&mut self, now: Duration, stage: K) {
        self.waiting.remove(&stage);
        self.ask(now, stage, Step::Publishing, Request::Publish(stage));
    }

    /// A stage that this copy executed failed: how often it did in this run so far.
    pub fn failed(&mut self, now: Duration, stage: K, why: &str, tail: &str) -> u32 {
        self.held.remove(&stage);
        self.news = true;
        let known = self.stages.entry(stage).or_default();
        (known.step, known.ticket) = (Step::Idle, None);
        known.failures += 1;
        why.clone_into(&mut known.why);
        let failures = known.failures;
        if known.own > known.closed {
            known.closed = known.own;
            let failure = Failure {
                copy: self.me.clone(),
                run: self.run.clone(),
                why: why.to_owned(),
                tail: tail.to_owned(),
                last: false,
            };
            let attempt = known.closed;
            self.send(now, Request::Fail(stage, attempt, failure));
        }
        failures
    }

    /// Gives a stage up, wherever this copy is with it. A result that it publishes is published all the same.
    pub fn release(&mut self, now: Duration, stage: K) {
        self.waiting.remove(&stage);
        let known = self.stages.entry(stage).or_default();
        match known.step {
            Step::Publishing => return,
            Step::Held | Step::Checking | Step::LookingAgain => {
                (known.step, known.ticket) = (Step::Idle, None);
                self.release_own(now, stage);
            }
            Step::Claiming | Step::ReadingBack => known.step = Step::Abandoned,
            Step::LookingBack => {
                let request = Request::ReadClaim(stage, known.closed + 1);
                self.ask(now, stage, Step::Abandoned, request);
            }
            _ => (known.step, known.ticket) = (Step::Idle, None),
        }
        self.held.remove(&stage);
        self.queued.retain(|&queued| queued != stage);
        self.news = true;
    }

    /// Whether it has nothing to do but to wait for others: then it looks at their beats more often.
    pub fn hungry(&mut self, now: Duration, hungry: bool) {
        match (hungry, self.hungry) {
            (true, None) => self.hungry = Some(now),
            (false, _) => self.hungry = None,
            _ => {}
        }
    }

    /// Gives everything up and says so. It is over once [`is_quiet`](Self::is_quiet).
    pub fn leave(&mut self, now: Duration) {
        let stages: Vec<K> = self.held.keys().copied().collect();
        for stage in stages {
            self.release(now, stage);
        }
        self.ending = true;
        self.news = true;
        self.tick(now);
    }

    /// Whether no request is under way.
    pub fn is_quiet(&self) -> bool {
        self.in_flight.is_empty() && self.out.is_empty()
    }

    /// Whether no other copy of the run was seen alive that may be so still. Of a lasting run there may always be one.
    pub fn is_alone(&self) -> bool {
        let lives = |it: &Watch<K>| it.alive && !it.ended && !it.lapsed(&self.terms);
        !self.terms.lasting && !self.watches.iter().any(lives)
    }

    /// Whether another copy of the run may be at work, by the last beats.
    pub fn has_company(&self) -> bool {
        self.living > 0
    }

    /// How many stages other copies are at that may be at work.
    pub fn held_by_others(&self) -> usize {
        let lives = |it: &&Watch<K>| !it.ended && !it.lapsed(&self.terms);
        let holds = self.watches.iter().filter(lives).map(|it| it.holds.len());
        holds.sum()
    }

    /// Whether the store answered the last time.
    pub fn is_reachable(&self) -> bool {
        self.outage.is_none()
    }

    /// Whether the copy that has a stage gave a sign of life since then: the first beat that is read of it may be the last
    /// one of a copy that is gone.
    pub fn has_heard_of(&self, stage: K, since: Duration) -> bool {
        let owner = self.stages.get(&stage).and_then(|it| it.owner.as_ref());
        let owner = owner.and_then(|owner| self.copies.get(&owner.copy));
        let owner = owner.or_else(|| self.listed.get(&stage));
        owner.is_some_and(|&at| self.watches[at].alive && self.watches[at].advanced >= since)
    }

    /// When [`tick`](Self::tick) has something to do, at the latest.
    pub fn due(&self) -> Duration {
        let timer = self.timers.first().map(|&(until, _)| until);
        let beats = [
            (!self.writing).then(|| self.next_write()),
            (!self.reading && !self.ending && self.introduced).then(|| self.next_read()),
            timer,
        ];
        beats.into_iter().flatten().min().unwrap_or(Duration::MAX)
    }

    /// Does what is due by now.
    pub fn tick(&mut self, now: Duration) {
        while let Some(&(until, ticket)) = self.timers.first()
            && until <= now
        {
            self.timers.pop_first();
            let Some(in_flight) = self.in_flight.get(&ticket) else {
                continue;
            };
            if in_flight.sent {
                self.lost(now, ticket);
            } else {
                self.fly(now, ticket);
            }
        }
        if !self.writing && self.next_write() <= now {
            self.write(now);
        }
        if !self.reading && !self.ending && self.introduced && self.next_read() <= now {
            self.look_round(now);
        }
    }

    /// Takes in the reply to a request. One that comes too late is of no use.
    pub fn reply<B: Borrow<Beat<K>>>(&mut self, now: Duration, ticket: Ticket, reply: Reply<B>) {
        if matches!(reply, Reply::Lost) {
            self.lost(now, ticket);
            return;
        }
        let Some(in_flight) = self.in_flight.remove(&ticket) else {
            return;
        };
        self.timers.remove(&(in_flight.until, ticket));
        // A store that is full gives what it has: it is back once it takes something.
        let wrote = matches!(reply, Reply::Created | Reply::Exists);
        if wrote && self.outage.take().is_some() {
            self.verdict(Verdict::Reachable);
            self.make_again(now);
        }
        match in_flight.request {
            Request::Beat(_) => {
                self.writing = false;
                if !self.introduced && !self.reading {
                    self.look_round(now);
                }
            }
            Request::Beats(_) => {
                if let Reply::Beats(beats) = reply {
                    self.beats(now, &beats);
                }
            }
            Request::Release(..) | Request::Fail(..) => {}
            request => self.answer(now, ticket, &request, reply),
        }
    }

    /// The reply to a request is lost: it is made again after a pause.
    fn lost(&mut self, now: Duration, ticket: Ticket) {
        if !self.in_flight.contains_key(&ticket) {
            return;
        }
        if self.outage.is_none() {
            self.verdict(Verdict::Unreachable);
        }
        // Of all that are lost in one pause, the first makes it longer.
        let pause = match self.outage {
            Some(last) if now < self.paused + last => last,
            last => {
                self.paused = now;
                last.map_or(AGAIN.0, |last| (last * 2).min(AGAIN.1))
            }
        };
        self.outage = Some(pause);
        let in_flight = self
            .in_flight
            .get_mut(&ticket)
            .expect("it was there just now");
        self.timers.remove(&(in_flight.until, ticket));
        in_flight.sent = false;
        in_flight.until = now + pause;
        self.timers.insert((in_flight.until, ticket));
        if matches!(in_flight.request, Request::Beats(_)) {
            for watch in &mut self.watches {
                watch.interrupted(now);
            }
        }
        if let Request::Look(stage) | Request::Claim(stage, ..) | Request::ReadClaim(stage, _) =
            in_flight.request
        {
            self.go_on_alone(stage);
        }
    }

    /// The store answers again: what was to be asked later is asked now.
    fn make_again(&mut self, now: Duration) {
        let waits = |(&ticket, it): (&Ticket, &InFlight<Request<K>>)| {
            (!it.sent).then_some((it.until, ticket))
        };
        let mut waiting: Vec<(Duration, Ticket)> =
            self.in_flight.iter().filter_map(waits).collect();
        waiting.sort_unstable();
        for (until, ticket) in waiting {
            self.timers.remove(&(until, ticket));
            self.fly(now, ticket);
        }
    }

    /// Without the store, a copy that is alone need not wait for anybody.
    fn go_on_alone(&mut self, stage: K) {
        let alone = self.is_alone();
        let known = self.stages.entry(stage).or_default();
        let attempt = match known.step {
            Step::LookingAgain => known.own,
            Step::Claiming | Step::LookingBack | Step::ReadingBack => 0,
            _ => return,
        };
        if alone {
            (known.step, known.ticket, known.own) = (Step::Held, None, attempt);
            self.verdict(Verdict::Run { stage, attempt });
        }
    }

    fn reads_begun(&self) -> u64 {
        self.reads_begun
    }

    fn is_known(&self, stage: K) -> bool {
        self.known.contains(&stage)
    }

    fn forget(&mut self, stage: K) {
        self.known.remove(&stage);
    }

    fn met_unknown_claim(&mut self) {
        self.stale = true;
    }

    fn step(&mut self, stage: K, step: Step) {
        let known = self.stages.entry(stage).or_default();
        (known.step, known.ticket) = (step, None);
    }

    /// Makes a request about a stage, whose reply is waited for.
    fn ask(&mut self, now: Duration, stage: K, step: Step, request: Request<K>) {
        let ticket = self.send(now, request);
        let known = self.stages.entry(stage).or_default();
        (known.step, known.ticket) = (step, Some(ticket));
    }

    fn verdict(&mut self, verdict: Verdict<K>) {
        self.out.push_back(Out::Verdict(verdict));
    }

    fn send(&mut self, now: Duration, request: Request<K>) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let in_flight = InFlight {
            request,
            until: now,
            sent: false,
        };
        self.in_flight.insert(ticket, in_flight);
        self.fly(now, ticket);
        ticket
    }

    fn fly(&mut self, now: Duration, ticket: Ticket) {
        let Some(in_flight) = self.in_flight.get_mut(&ticket) else {
            return;
        };
        let patience = match in_flight.request {
            Request::Publish(_) => self.terms.patience * 10,
            _ => self.terms.patience,
        };
        in_flight.sent = true;
        in_flight.until = now + patience;
        self.timers.insert((in_flight.until, ticket));
        self.out
            .push_back(Out::Request(ticket, in_flight.request.clone()));
    }
}
