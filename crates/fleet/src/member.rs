//! One copy of the program, as a machine: calls and replies in, requests and verdicts out.

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use crate::stage::{Flying, Owner, Stage, Step};
use crate::watch::Watch;
use crate::{Beat, Claim, CopyId, Failure, Held, LAPSES, Reply, Request, Terms};

/// Two beats, or two looks at those of others, are at least this far apart.
const CLOSEST: Duration = Duration::from_millis(200);
/// First and longest pause before a request is made again whose reply is lost.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Who waits looks again after this share of the time that it has waited.
const SHARE: u32 = 8;

/// Tells replies apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// What a member wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out<K> {
    /// Ask the store, and give the reply with this ticket.
    Request(Ticket, Request<K>),
    /// What has become of a stage.
    Verdict(Verdict<K>),
}

/// What a member says to the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<K> {
    /// The stage is this copy's to execute.
    Run {
        /// The stage.
        stage: K,
        /// Which attempt it is; 0 without one, because this copy is alone and the store does not answer.
        attempt: u32,
    },
    /// The store has its result, and it was taken.
    There {
        /// The stage.
        stage: K,
    },
    /// There is no result, though one was looked for: the stage may be pursued.
    Absent {
        /// The stage.
        stage: K,
    },
    /// Another copy has it. [`Verdict::Again`] will say when that has changed.
    Busy {
        /// The stage.
        stage: K,
    },
    /// It may have a result by now, or be free.
    Again {
        /// The stage.
        stage: K,
    },
    /// It has failed as often as it may in this run.
    Failed {
        /// The stage.
        stage: K,
        /// Why, the last time.
        why: String,
    },
    /// Another copy took over while this one executed it: it is to stop.
    Superseded {
        /// The stage.
        stage: K,
    },
    /// The store has a record of it.
    Settled {
        /// The stage.
        stage: K,
        /// Whether it is surely this copy's. If not, the one that is there holds.
        own: bool,
    },
    /// The store does not answer, or refuses.
    Unreachable,
    /// It does again.
    Reachable,
}

/// How a stage stands, as far as the beats say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// Nobody has it.
    Free,
    /// Another copy has it.
    Busy,
    /// Another copy has published its result.
    Done,
}

/// A copy. See the crate's documentation.
#[derive(Debug)]
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
    /// Stages that the beats of others list, and whose.
    listed: HashMap<K, usize>,
    waiting: BTreeSet<K>,
    queued: Vec<K>,
    flying: HashMap<Ticket, Flying<Request<K>>>,
    timers: BTreeSet<(Duration, Ticket)>,
    tickets: u64,
    out: VecDeque<Out<K>>,
    counter: u64,
    wrote: Duration,
    writing: bool,
    /// Whether its next beat says something new.
    news: bool,
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
            listed: HashMap::new(),
            waiting: BTreeSet::new(),
            queued: Vec::new(),
            flying: HashMap::new(),
            timers: BTreeSet::new(),
            tickets: 0,
            out: VecDeque::new(),
            counter: 0,
            wrote: now,
            writing: false,
            news: false,
            read: now,
            reading: false,
            reads_begun: 0,
            hungry: None,
            stale: false,
            introduced: false,
            ending: false,
            outage: None,
        };
        member.write(now);
        member
    }

    /// The next thing to do, if there is one.
    pub fn next(&mut self) -> Option<Out<K>> {
        self.out.pop_front()
    }

    /// How a stage stands. Asks nobody.
    pub fn stand(&self, stage: K) -> Stand {
        if self.known.contains(&stage) {
            Stand::Done
        } else if self.is_listed(stage) || self.waiting.contains(&stage) {
            Stand::Busy
        } else {
            Stand::Free
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
        self.flying.is_empty() && self.out.is_empty()
    }

    /// Whether no other copy of the run was seen alive that may be so still. Of a lasting run there may always be one.
    pub fn is_alone(&self) -> bool {
        let lives = |it: &Watch<K>| it.alive && !it.ended && !it.lapsed(&self.terms);
        !self.terms.lasting && !self.watches.iter().any(lives)
    }

    /// Whether the store answered the last time.
    pub fn is_reachable(&self) -> bool {
        self.outage.is_none()
    }

    /// Whether the copy that has a stage gave a sign of life since then.
    pub fn has_heard_of(&self, stage: K, since: Duration) -> bool {
        let owner = self.stages.get(&stage).and_then(|it| it.owner.as_ref());
        let owner = owner.and_then(|owner| self.copies.get(&owner.copy));
        let owner = owner.or_else(|| self.listed.get(&stage));
        owner.is_some_and(|&at| self.watches[at].advanced >= since)
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
            let Some(flying) = self.flying.get(&ticket) else {
                continue;
            };
            if flying.sent {
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
        let Some(flying) = self.flying.remove(&ticket) else {
            return;
        };
        self.timers.remove(&(flying.until, ticket));
        // A store that is full gives what it has: it is back once it takes something.
        let wrote = matches!(reply, Reply::Created | Reply::Exists);
        if wrote && self.outage.take().is_some() {
            self.verdict(Verdict::Reachable);
        }
        match flying.request {
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
        if !self.flying.contains_key(&ticket) {
            return;
        }
        if self.outage.is_none() {
            self.verdict(Verdict::Unreachable);
        }
        let pause = self.outage.map_or(AGAIN.0, |last| (last * 2).min(AGAIN.1));
        self.outage = Some(pause);
        let flying = self.flying.get_mut(&ticket).expect("it was there just now");
        self.timers.remove(&(flying.until, ticket));
        flying.sent = false;
        flying.until = now + pause;
        self.timers.insert((flying.until, ticket));
        if matches!(flying.request, Request::Beats(_)) {
            for watch in &mut self.watches {
                watch.interrupted(now);
            }
        }
        if let Request::Look(stage) | Request::Claim(stage, ..) | Request::ReadClaim(stage, _) =
            flying.request
        {
            self.go_on_alone(stage);
        }
    }

    /// Without the store, a copy that is alone need not wait for anybody.
    fn go_on_alone(&mut self, stage: K) {
        let alone = self.is_alone();
        let known = self.stages.entry(stage).or_default();
        let attempt = match known.step {
            Step::LookingAgain => known.own,
            Step::Claiming | Step::ReadingBack => 0,
            _ => return,
        };
        if alone {
            (known.step, known.ticket, known.own) = (Step::Held, None, attempt);
            self.verdict(Verdict::Run { stage, attempt });
        }
    }

    /// Writes a beat. It is written again until it is there, and the next one is made after that.
    fn write(&mut self, now: Duration) {
        self.counter += 1;
        self.wrote = now;
        self.writing = true;
        self.news = false;
        let beat = Beat {
            run: self.run.clone(),
            counter: self.counter,
            holds: self.held.values().cloned().collect(),
            settled: self.published.clone(),
            ended: self.ending,
        };
        self.send(now, Request::Beat(beat));
    }

    /// Reads the beats of the others.
    fn look_round(&mut self, now: Duration) {
        self.read = now;
        self.reading = true;
        self.stale = false;
        self.reads_begun += 1;
        let others = self
            .copies
            .keys()
            .filter(|copy| !self.is_of_run(copy))
            .cloned()
            .collect();
        self.send(now, Request::Beats(others));
    }

    /// Whether a copy's beats are listed with those of this one: the names of a run's copies begin alike.
    fn is_of_run(&self, copy: &CopyId) -> bool {
        let run = |copy: &CopyId| copy.as_str().rfind('/').unwrap_or_default();
        copy.as_str()[..run(copy)] == self.me.as_str()[..run(&self.me)]
    }

    fn beats<B: Borrow<Beat<K>>>(&mut self, now: Duration, beats: &[(CopyId, B)]) {
        self.reading = false;
        let appeared = std::mem::replace(&mut self.introduced, true);
        let mut read = vec![false; self.watches.len()];
        let mut news = false;
        for (copy, beat) in beats {
            if *copy == self.me {
                continue;
            }
            let at = self.copy(now, copy, appeared);
            read.resize(self.watches.len().max(read.len()), false);
            read[at] = true;
            news |= self.take(now, at, Some(beat.borrow()));
        }
        for at in 0..self.watches.len() {
            if !read.get(at).is_some_and(|&read| read) {
                news |= self.take(now, at, None);
            }
        }
        if news && self.hungry.is_some() {
            self.hungry = Some(now);
        }
        self.mark();
        let waiting: Vec<K> = self.waiting.iter().copied().collect();
        for stage in waiting {
            if !self.is_busy(stage) {
                self.waiting.remove(&stage);
                self.step(stage, Step::Idle);
                self.verdict(Verdict::Again { stage });
            }
        }
        for stage in std::mem::take(&mut self.queued) {
            self.begin(now, stage);
        }
    }

    /// Takes in one beat: whether it tells something new.
    fn take(&mut self, now: Duration, at: usize, beat: Option<&Beat<K>>) -> bool {
        let watch = &mut self.watches[at];
        let before = watch.counter;
        let old = std::mem::take(&mut watch.holds);
        let settled = watch.read(now, &self.terms, beat);
        if watch.counter == before {
            watch.holds = old;
            return false;
        }
        let changed = !settled.is_empty() || watch.ended || watch.holds != old;
        for held in old {
            if self.listed.get(&held.stage) == Some(&at) {
                self.listed.remove(&held.stage);
            }
        }
        self.known.extend(settled);
        for held in &watch.holds {
            self.listed.insert(held.stage, at);
        }
        changed
    }

    /// From beats that were asked for after a claim was read, its owner's counter is taken down.
    fn mark(&mut self) {
        for stage in &self.waiting {
            let Some(known) = self.stages.get_mut(stage) else {
                continue;
            };
            if let Some(owner) = &mut known.owner
                && owner.mark.is_none()
                && owner.seen < self.reads_begun
                && let Some(&at) = self.copies.get(&owner.copy)
            {
                owner.mark = Some(self.watches[at].advances);
            }
        }
    }

    /// The number of a copy, which is watched from now on.
    pub(crate) fn copy(&mut self, now: Duration, copy: &CopyId, appeared: bool) -> usize {
        if let Some(&at) = self.copies.get(copy) {
            return at;
        }
        self.watches.push(Watch::new(now, appeared));
        self.copies.insert(copy.clone(), self.watches.len() - 1);
        self.watches.len() - 1
    }

    fn is_listed(&self, stage: K) -> bool {
        self.listed.get(&stage).is_some_and(|&at| {
            let watch = &self.watches[at];
            !watch.ended && !watch.lapsed(&self.terms)
        })
    }

    /// Whether another copy has a stage, and it has no result yet, by all that is known.
    fn is_busy(&self, stage: K) -> bool {
        if self.known.contains(&stage) {
            return false;
        }
        let owner = self
            .stages
            .get(&stage)
            .and_then(|known| known.owner.as_ref());
        match owner {
            Some(owner) => self.over(stage, owner).is_none(),
            None => self.is_listed(stage),
        }
    }

    /// Whether nobody is at an attempt any more, though its owner said nothing: true if the copy is gone, false if it
    /// lives and does not have the stage.
    pub(crate) fn over(&self, stage: K, owner: &Owner) -> Option<bool> {
        let watch = &self.watches[*self.copies.get(&owner.copy)?];
        let holds = watch.holds.iter().any(|held| held.stage == stage);
        let later = owner.mark.is_some_and(|mark| watch.advances >= mark + 2);
        if watch.ended || (later && !holds) {
            Some(false)
        } else {
            watch.lapsed(&self.terms).then_some(true)
        }
    }

    /// Whether what a copy did in a run is of this run.
    pub(crate) fn counts(&self, run: &str, copy: &CopyId) -> bool {
        let alive = || {
            let at = self.copies.get(copy);
            at.is_some_and(|&at| self.watches[at].alive)
        };
        run == self.run && (self.terms.lasting || *copy == self.me || alive())
    }

    /// The deepest checkpoint that the last beat of an attempt's owner told of.
    pub(crate) fn depth_of(&self, stage: K, owner: &Owner) -> u64 {
        let watch = self.copies.get(&owner.copy).map(|&at| &self.watches[at]);
        let held = watch.and_then(|watch| watch.holds.iter().find(|held| held.stage == stage));
        held.map_or(0, |held| held.depth).max(owner.depth)
    }

    pub(crate) fn reads_begun(&self) -> u64 {
        self.reads_begun
    }

    pub(crate) fn is_known(&self, stage: K) -> bool {
        self.known.contains(&stage)
    }

    pub(crate) fn forget(&mut self, stage: K) {
        self.known.remove(&stage);
    }

    pub(crate) fn met_unknown_claim(&mut self) {
        self.stale = true;
    }

    pub(crate) fn busy(&mut self, stage: K) {
        self.wait_for(stage);
        self.verdict(Verdict::Busy { stage });
    }

    /// Creates the next attempt, or fails the stage where attempts only ever lapse.
    pub(crate) fn claim(&mut self, now: Duration, stage: K) {
        let known = &self.stages[&stage];
        let (attempt, depth) = (known.closed + 1, known.depth);
        if known.failures > known.retries {
            let why = known.why.clone();
            self.give_up(stage, why);
        } else if known.lapses.iter().filter(|&&at| at >= depth).count() >= LAPSES {
            let why = format!(
                "{LAPSES} attempts ended without a word, each with its copy of the program, and without a deeper \
                 checkpoint"
            );
            let failure = Failure {
                copy: self.me.clone(),
                run: self.run.clone(),
                why: why.clone(),
                tail: String::new(),
                last: true,
            };
            self.send(now, Request::Fail(stage, attempt - 1, failure));
            self.give_up(stage, why);
        } else {
            let held = Held {
                stage,
                attempt,
                depth,
            };
            self.held.insert(stage, held);
            let claim = Claim {
                copy: self.me.clone(),
                run: self.run.clone(),
                depth,
            };
            self.ask(
                now,
                stage,
                Step::Claiming,
                Request::Claim(stage, attempt, claim),
            );
        }
    }

    pub(crate) fn give_up(&mut self, stage: K, why: String) {
        self.unhold(stage);
        self.step(stage, Step::Idle);
        self.verdict(Verdict::Failed { stage, why });
    }

    /// The next beat does not list a stage any more.
    pub(crate) fn unhold(&mut self, stage: K) {
        self.news |= self.held.remove(&stage).is_some();
    }

    pub(crate) fn has_published(&mut self, stage: K) {
        self.held.remove(&stage);
        self.published.push(stage);
        self.news = true;
    }

    /// Says that this copy's attempt is free.
    pub(crate) fn release_own(&mut self, now: Duration, stage: K) {
        let known = self.stages.entry(stage).or_default();
        if known.own > known.closed {
            known.closed = known.own;
            let attempt = known.own;
            self.send(now, Request::Release(stage, attempt));
        }
    }

    pub(crate) fn step(&mut self, stage: K, step: Step) {
        let known = self.stages.entry(stage).or_default();
        (known.step, known.ticket) = (step, None);
    }

    /// Makes a request about a stage, whose reply is waited for.
    pub(crate) fn ask(&mut self, now: Duration, stage: K, step: Step, request: Request<K>) {
        let ticket = self.send(now, request);
        let known = self.stages.entry(stage).or_default();
        (known.step, known.ticket) = (step, Some(ticket));
    }

    pub(crate) fn verdict(&mut self, verdict: Verdict<K>) {
        self.out.push_back(Out::Verdict(verdict));
    }

    fn send(&mut self, now: Duration, request: Request<K>) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let flying = Flying {
            request,
            until: now,
            sent: false,
        };
        self.flying.insert(ticket, flying);
        self.fly(now, ticket);
        ticket
    }

    fn fly(&mut self, now: Duration, ticket: Ticket) {
        let Some(flying) = self.flying.get_mut(&ticket) else {
            return;
        };
        let patience = match flying.request {
            Request::Publish(_) => self.terms.patience * 10,
            _ => self.terms.patience,
        };
        flying.sent = true;
        flying.until = now + patience;
        self.timers.insert((flying.until, ticket));
        self.out
            .push_back(Out::Request(ticket, flying.request.clone()));
    }

    /// Copies that may be at work, this one among them.
    fn copies(&self) -> f64 {
        let gone = |it: &&Watch<K>| !it.ended && !it.lapsed(&self.terms);
        1.0 + self.watches.iter().filter(gone).count() as f64
    }

    fn at_most(&self, requests: f64) -> Duration {
        // Half of the budget is for writing, half for reading.
        let seconds = 2.0 * requests / self.terms.budget;
        let longest = self.terms.beat;
        Duration::from_secs_f64(seconds.min(longest.as_secs_f64()))
            .max(CLOSEST)
            .min(longest)
    }

    fn next_write(&self) -> Duration {
        if self.ending {
            return if self.news { self.wrote } else { Duration::MAX };
        }
        let pause = match self.outage {
            // The beat tells when the store is back.
            Some(pause) => pause.min(self.terms.beat),
            None if self.news && !self.watches.is_empty() => self.at_most(self.copies()),
            None => self.terms.beat,
        };
        self.wrote + pause
    }

    fn next_read(&self) -> Duration {
        let copies = self.copies();
        let closest = self.at_most(copies * (copies + 1.0));
        let pause = match self.hungry {
            Some(since) => {
                let waited = self.read.saturating_sub(since) / SHARE;
                waited.clamp(closest, self.terms.beat)
            }
            None if self.stale => closest,
            None => self.terms.beat,
        };
        self.read + pause
    }
}
