//! Which stages fit beside each other into the memory that there is.
//!
//! What a stage takes is said with it ([`Execution::memory`](crate::Execution::memory)). A process keeps what it has once
//! taken, so a worker counts with the most that any of its stages took, and one that is idle is ended where that is
//! needed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::MemoryLimits;
use crate::pool::WorkerId;

/// What the workers hold, and what goes next.
pub(crate) struct Occupancy {
    /// Bytes that all stages that run may take together; one that takes more runs alone.
    together: u64,
    /// As many for each job. Who holds no more is in nobody's way.
    share: u64,
    workers: BTreeMap<WorkerId, Worker>,
    /// What the stage takes that was the first of all and did not fit. It is the next of those that take as much; what
    /// begins before it leaves it its room.
    next: Option<u64>,
}

/// A worker that has a stage, or has begun one.
#[derive(Clone, Copy, Default)]
struct Worker {
    /// The most that the stages took that it has begun.
    kept: u64,
    /// What the stage takes that it has now.
    running: Option<u64>,
    /// Whether that one has begun before the stage that goes next.
    overtook: bool,
}

impl Worker {
    fn holds(&self) -> u64 {
        self.kept.max(self.running.unwrap_or(0))
    }
}

/// What waits for its turn, by the memory that it takes.
pub(crate) struct Queue<T>(BTreeMap<u64, BinaryHeap<T>>);

impl<T: Ord> Queue<T> {
    pub(crate) fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(crate) fn push(&mut self, bytes: u64, item: T) {
        self.0.entry(bytes).or_default().push(item);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.values().map(BinaryHeap::len).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first of those that take so much.
    pub(crate) fn peek(&self, bytes: u64) -> Option<&T> {
        self.0.get(&bytes)?.peek()
    }

    pub(crate) fn pop(&mut self, bytes: u64) -> Option<T> {
        let those = self.0.get_mut(&bytes)?;
        let first = those.pop();
        if those.is_empty() {
            self.0.remove(&bytes);
        }
        first
    }

    /// What the first of those takes that take no more than this.
    fn first_within(&self, bytes: u64) -> Option<u64> {
        let those = self.0.range(..=bytes);
        let first = those.max_by(|(_, a), (_, b)| a.peek().cmp(&b.peek()));
        first.map(|(&bytes, _)| bytes)
    }
}

impl Occupancy {
    pub(crate) fn new(limits: Option<&MemoryLimits>, jobs: usize) -> Self {
        let together = limits.map_or(u64::MAX, |limits| limits.together);
        Self {
            together,
            share: together / jobs.max(1) as u64,
            workers: BTreeMap::new(),
            next: None,
        }
    }

    /// What the stage takes that may begin now: the first of those that take as much. None if none may.
    ///
    /// The first of all goes first. Where it does not fit, it waits for those that run, and others may overtake it that
    /// fit beside it, however many: once those have ended that ran when it was passed over, it begins.
    pub(crate) fn choose<T: Ord>(&mut self, waiting: &Queue<T>) -> Option<u64> {
        if self.next.is_some_and(|bytes| waiting.peek(bytes).is_none()) {
            self.forget_next();
        }
        let first = self.next.or_else(|| waiting.first_within(u64::MAX))?;
        if self.fits(first) {
            return Some(first);
        }
        self.next = Some(first);
        waiting.first_within(self.room())
    }

    /// Whether a stage that takes so much may begin beside those that run: where its size is not known, where nothing of
    /// known size runs, and where there is room.
    fn fits(&self, bytes: u64) -> bool {
        let busy = self.busy();
        bytes == 0 || busy == 0 || busy.saturating_add(bytes) <= self.together
    }

    /// How much is left for one more stage, beside the one that goes next.
    fn room(&self) -> u64 {
        let now = self.together.saturating_sub(self.busy());
        let Some(next) = self.next else { return now };
        let overtook = self.sum(|worker| worker.running.is_some() && worker.overtook);
        let then = self.together.saturating_sub(next.saturating_add(overtook));
        now.min(then)
    }

    /// The best of these idle workers for a stage that takes so much: not one that holds more than the stage needs and
    /// than its share.
    pub(crate) fn worker(
        &self,
        idle: impl Iterator<Item = WorkerId>,
        bytes: u64,
    ) -> Option<WorkerId> {
        let most = bytes.max(self.share.min(self.room()));
        let suits = idle.filter(|&id| self.holds(id) <= most);
        suits.max_by_key(|&id| (self.holds(id), Reverse(id)))
    }

    /// Which of these idle workers must end before a stage that takes so much begins in one: the one that holds most, if
    /// all together hold too much.
    pub(crate) fn surplus(
        &self,
        idle: impl Iterator<Item = WorkerId>,
        chosen: WorkerId,
        bytes: u64,
    ) -> Option<WorkerId> {
        let rest = self
            .sum(|_| true)
            .saturating_sub(self.holds(chosen))
            .saturating_add(self.holds(chosen).max(bytes));
        if rest <= self.together {
            return None;
        }
        self.largest(idle.filter(|&id| id != chosen && self.holds(id) > 0))
    }

    /// Which of these workers holds most.
    pub(crate) fn largest(&self, workers: impl Iterator<Item = WorkerId>) -> Option<WorkerId> {
        workers.max_by_key(|&id| self.holds(id))
    }

    /// Whether there is room for one more worker for stages that take so much, with so many that are starting already.
    pub(crate) fn takes_one_more(&self, bytes: u64, starting: usize) -> bool {
        let all = bytes.saturating_mul(starting as u64 + 1);
        starting == 0 || self.busy().saturating_add(all) <= self.together
    }

    /// A worker is given a stage that takes so much.
    pub(crate) fn give(&mut self, id: WorkerId, bytes: u64) {
        let is_next = self.next == Some(bytes);
        let overtook = self.next.is_some() && !is_next;
        let worker = self.workers.entry(id).or_default();
        worker.running = Some(bytes);
        worker.overtook = overtook;
        if is_next {
            self.forget_next();
        }
    }

    /// It has begun it.
    pub(crate) fn begin(&mut self, id: WorkerId) {
        let worker = self.workers.entry(id).or_default();
        worker.kept = worker.holds();
    }

    /// It has it no longer.
    pub(crate) fn end(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.running = None;
        }
    }

    /// It is gone.
    pub(crate) fn remove(&mut self, id: WorkerId) {
        self.workers.remove(&id);
    }

    fn forget_next(&mut self) {
        self.next = None;
        for worker in self.workers.values_mut() {
            worker.overtook = false;
        }
    }

    fn holds(&self, id: WorkerId) -> u64 {
        self.workers.get(&id).map_or(0, Worker::holds)
    }

    fn busy(&self) -> u64 {
        self.sum(|worker| worker.running.is_some())
    }

    fn sum(&self, which: impl Fn(&Worker) -> bool) -> u64 {
        let those = self.workers.values().filter(|worker| which(worker));
        those.fold(0, |sum, worker| sum.saturating_add(worker.holds()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SEEDS: u64 = 3000;

    /// Numbers that look random.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % end
        }
    }

    /// What a worker does: how much its stage takes, when it ends, and which it is.
    struct Busy {
        id: WorkerId,
        end: u64,
        stage: usize,
    }

    /// A run in which stages become ready one after another and take their time, as the scheduler carries it out.
    struct Model {
        jobs: usize,
        together: u64,
        memory: Occupancy,
        waiting: Queue<(u64, usize)>,
        busy: Vec<Busy>,
        idle: BTreeSet<WorkerId>,
        started: usize,
        /// What goes next, and the stages that ran when it was first passed over.
        passed: Option<(u64, BTreeSet<usize>)>,
    }

    impl Model {
        fn new(jobs: usize, together: u64) -> Self {
            let limits = MemoryLimits {
                together,
                each: u64::MAX,
                there: String::new(),
            };
            Self {
                jobs,
                together,
                memory: Occupancy::new(Some(&limits), jobs),
                waiting: Queue::new(),
                busy: Vec::new(),
                idle: BTreeSet::new(),
                started: 0,
                passed: None,
            }
        }

        fn alive(&self) -> usize {
            self.busy.len() + self.idle.len()
        }

        /// What `Pool::idle` does.
        fn idle(&mut self, bytes: u64) -> Option<WorkerId> {
            let chosen = self.memory.worker(self.idle.iter().copied(), bytes)?;
            while let Some(other) = self
                .memory
                .surplus(self.idle.iter().copied(), chosen, bytes)
            {
                self.idle.remove(&other);
                self.memory.remove(other);
            }
            Some(chosen)
        }

        /// What `Scheduler::dispatch` does, with workers that start at once.
        fn dispatch(&mut self, now: u64, lasts: &[u64]) {
            while let Some(bytes) = self.choose() {
                let Some(id) = self.idle(bytes) else {
                    if self.alive() >= self.jobs {
                        let largest = self.memory.largest(self.idle.iter().copied());
                        let Some(largest) = largest else { break };
                        self.idle.remove(&largest);
                        self.memory.remove(largest);
                    }
                    self.idle.insert(WorkerId(self.started));
                    self.started += 1;
                    continue;
                };
                let (_, stage) = self.waiting.pop(bytes).unwrap();
                self.idle.remove(&id);
                self.memory.give(id, bytes);
                self.memory.begin(id);
                let end = now + lasts[stage];
                self.busy.push(Busy { id, end, stage });
                self.check();
            }
            assert!(self.busy.len() <= self.jobs);
            if let Some((bytes, ran)) = &self.passed {
                let waits = self.busy.iter().any(|it| ran.contains(&it.stage));
                assert!(waits, "{bytes} could begin");
            }
        }

        fn choose(&mut self) -> Option<u64> {
            let chosen = self.memory.choose(&self.waiting);
            let next = self.memory.next.filter(|_| chosen != self.memory.next);
            if next != self.passed.as_ref().map(|(bytes, _)| *bytes) {
                let running = self.busy.iter().map(|it| it.stage).collect();
                self.passed = next.map(|bytes| (bytes, running));
            }
            chosen
        }

        fn check(&self) {
            let held = self.memory.workers.values().map(Worker::holds);
            let held: Vec<u64> = held.filter(|&bytes| bytes > 0).collect();
            let sum: u64 = held.iter().sum();
            assert!(
                sum <= self.together || held.len() == 1,
                "{held:?} of {}",
                self.together
            );
        }
    }

    #[test]
    fn what_runs_fits_and_everything_runs_and_what_was_passed_over_begins_when_those_before_it_end()
    {
        let (mut overtook, mut alone) = (0, 0);
        for seed in 1..=SEEDS {
            let mut numbers = Numbers(seed * 0x9e37_79b9_7f4a_7c15);
            let jobs = 1 + numbers.below(6) as usize;
            let mut model = Model::new(jobs, 10 + numbers.below(30));
            let count = 1 + numbers.below(60) as usize;
            let sizes: Vec<u64> = (0..count)
                .map(|_| match numbers.below(4) {
                    0 => 0,
                    1 => 1 + numbers.below(3),
                    2 => 1 + numbers.below(15),
                    _ => 1 + numbers.below(60),
                })
                .collect();
            let lasts: Vec<u64> = (0..count).map(|_| 1 + numbers.below(40)).collect();
            let comes: Vec<u64> = (0..count).map(|_| numbers.below(120)).collect();
            let mut done = BTreeSet::new();
            let mut now = 0;
            while done.len() < count {
                for stage in (0..count).filter(|&stage| comes[stage] == now) {
                    model.waiting.push(sizes[stage], (lasts[stage], stage));
                }
                let over = model.busy.extract_if(.., |it| it.end <= now);
                for Busy { id, stage, .. } in over.collect::<Vec<_>>() {
                    assert!(done.insert(stage));
                    if numbers.below(5) == 0 {
                        model.memory.remove(id);
                    } else {
                        model.memory.end(id);
                        model.idle.insert(id);
                    }
                }
                model.dispatch(now, &lasts);
                let nothing_runs = model.busy.is_empty() && now > 120;
                assert!(!nothing_runs || model.waiting.is_empty(), "seed {seed}");
                overtook += usize::from(model.memory.workers.values().any(|it| it.overtook));
                alone += usize::from(model.memory.busy() > model.together);
                now += 1;
            }
        }
        assert!(overtook > 0 && alone > 0, "both have happened");
    }

    #[test]
    fn who_takes_nothing_is_never_held_up_and_without_a_limit_nobody_is() {
        let mut memory = Occupancy::new(None, 2);
        let mut waiting = Queue::new();
        waiting.push(u64::MAX, 1);
        waiting.push(0, 2);
        for bytes in [0, u64::MAX] {
            assert_eq!(memory.choose(&waiting), Some(bytes));
            waiting.pop(bytes);
            memory.give(WorkerId(waiting.len()), u64::MAX);
        }
        let mut model = Model::new(3, 10);
        model.waiting.push(10, (9, 0));
        model.waiting.push(11, (8, 1));
        model.waiting.push(0, (1, 2));
        model.dispatch(0, &[1, 1, 1]);
        let running: Vec<usize> = model.busy.iter().map(|it| it.stage).collect();
        assert_eq!(running, [0, 2]);
    }

    #[test]
    fn a_worker_that_holds_more_than_its_share_gets_nothing_small() {
        let mut model = Model::new(2, 10);
        model.waiting.push(8, (9, 0));
        model.dispatch(0, &[1, 1, 1]);
        model.waiting.push(3, (2, 1));
        let Busy { id: large, .. } = model.busy.pop().unwrap();
        model.memory.end(large);
        model.idle.insert(large);
        model.dispatch(1, &[1, 1, 1]);
        assert_ne!(model.busy[0].id, large);
        assert!(model.idle.is_empty(), "3 and 8 are more than 10");
        model.waiting.push(5, (2, 2));
        model.dispatch(1, &[1, 1, 1]);
        assert_eq!(model.busy.len(), 2);
    }
}
