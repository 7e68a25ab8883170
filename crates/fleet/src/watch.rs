//! What one copy knows of another, by its beats alone.

use std::time::Duration;

use crate::{Beat, Held, READS, Terms};

/// Another copy, watched.
#[derive(Debug)]
pub(crate) struct Watch<K> {
    /// The newest counter that was read; none where there was no beat yet.
    pub(crate) counter: Option<u64>,
    /// How often it was found to have grown.
    pub(crate) advances: u64,
    pub(crate) holds: Vec<Held<K>>,
    pub(crate) ended: bool,
    /// Whether it gave a sign of life while it was watched.
    pub(crate) alive: bool,
    /// How many of the results that it published were taken note of.
    settled: usize,
    /// When its beat was last found to have grown.
    pub(crate) advanced: Duration,
    /// When it was last looked at successfully.
    looked: Duration,
    /// How long its beat has stood still, as far as that was watched.
    still: Duration,
    /// How often it was found unchanged in a row.
    reads: u32,
}

impl<K: Copy> Watch<K> {
    /// Nothing is known yet. A copy that appears while others are watched is alive.
    pub(crate) fn new(now: Duration, appeared: bool) -> Self {
        Self {
            counter: None,
            advances: 0,
            holds: Vec::new(),
            ended: false,
            alive: appeared,
            settled: 0,
            advanced: Duration::ZERO,
            looked: now,
            still: Duration::ZERO,
            reads: 0,
        }
    }

    /// Takes in what a successful read gave: the results that it published since the one before.
    pub(crate) fn read<'b>(
        &mut self,
        now: Duration,
        terms: &Terms,
        beat: Option<&'b Beat<K>>,
    ) -> &'b [K] {
        let gap = now.saturating_sub(self.looked);
        self.looked = now;
        let counter = beat.map(|beat| beat.counter);
        // An older one that was long on its way is no news.
        if counter <= self.counter {
            // A watcher that slept has not watched: neither the copy nor the store may have had its chance.
            self.still += gap.min(terms.beat * 2);
            self.reads += 1;
            return &[];
        }
        self.alive |= self.counter.is_some();
        self.counter = counter;
        self.advances += 1;
        self.advanced = now;
        self.still = Duration::ZERO;
        self.reads = 0;
        let Some(beat) = beat else { return &[] };
        self.holds.clone_from(&beat.holds);
        self.ended = beat.ended;
        let known = std::mem::replace(&mut self.settled, beat.settled.len());
        beat.settled.get(known..).unwrap_or_default()
    }

    /// The store did not answer: nobody's beat could be seen, so that the watch begins anew.
    pub(crate) fn interrupted(&mut self, now: Duration) {
        self.looked = now;
        self.still = Duration::ZERO;
        self.reads = 0;
    }

    /// Whether it is gone.
    pub(crate) fn lapsed(&self, terms: &Terms) -> bool {
        self.reads >= READS && self.still >= terms.ttl
    }
}
