//! gc of a remote beside those who publish, request by request in random order: whatever the order, every record has its
//! outputs, and nothing young has gone.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, SystemTime};

use engine::{
    Contents, Digest, Error, GRACE, GcReport, Listed, Objects, Policy, Provenance, Remote, Store,
};
use serde_json::Map;

const DAY: Duration = Duration::from_hours(24);
/// Contents that are objects of their own.
const LARGE: usize = 20_000;

/// Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", figure 16 (`SplitMix64`).
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, number: usize) -> bool {
        self.below(number) == 0
    }
}

/// A store in memory, with a clock of its own.
#[derive(Debug, Default)]
struct Memory {
    objects: BTreeMap<String, (Vec<u8>, Duration)>,
    now: Duration,
    /// What was deleted although it was young.
    young: Vec<String>,
}

impl Memory {
    fn time(at: Duration) -> SystemTime {
        SystemTime::UNIX_EPOCH + 10_000 * DAY + at
    }

    fn delete(&mut self, name: &str) {
        let Some((_, written)) = self.objects.remove(name) else {
            return;
        };
        let is_for_the_moment = name.starts_with("gc/") || name.starts_with("probe/");
        if !is_for_the_moment && self.now < written + GRACE {
            self.young.push(name.to_owned());
        }
    }

    fn names(&self, prefix: &str) -> BTreeSet<String> {
        let names = self.objects.keys();
        names
            .filter(|name| name.starts_with(prefix))
            .cloned()
            .collect()
    }
}

/// Lets one party make one request at a time.
#[derive(Debug, Default)]
struct Turns {
    memory: Memory,
    parties: Vec<Party>,
    /// Whether turns are given, and whose it is.
    deals: bool,
    turn: Option<usize>,
    /// The longest time from one request to the next.
    step: Duration,
    chance: Option<Chance>,
}

#[derive(Debug, Default)]
struct Party {
    waiting: usize,
    has_ended: bool,
    /// Whether it last looked for a gc: then it waits for its end.
    looks: bool,
    /// Requests until it is killed.
    left: Option<usize>,
}

#[derive(Debug, Default)]
struct Table {
    turns: Mutex<Turns>,
    changed: Condvar,
}

impl Table {
    /// A request of a party, in its turn.
    fn request<T>(
        &self,
        party: usize,
        name: &str,
        request: impl FnOnce(&mut Memory) -> T,
    ) -> Result<T, Error> {
        let mut turns = self.turns.lock().unwrap();
        if turns.deals {
            turns.parties[party].waiting += 1;
            self.changed.notify_all();
            turns = self
                .changed
                .wait_while(turns, |it| it.deals && it.turn != Some(party))
                .unwrap();
            turns.parties[party].waiting -= 1;
            turns.parties[party].looks = name.starts_with("gc");
        }
        turns.turn = None;
        self.changed.notify_all();
        if let Some(left) = &mut turns.parties[party].left {
            if *left == 0 {
                let killed = io::Error::other("killed");
                return Err(Error::io("ask", Path::new(name))(killed));
            }
            *left -= 1;
        }
        Ok(request(&mut turns.memory))
    }

    /// Gives turns until all parties have ended.
    fn deal(&self) {
        let mut turns = self.turns.lock().unwrap();
        loop {
            let chance = turns.chance.as_mut().unwrap();
            let (draw, step) = (chance.next(), chance.next());
            // Who waits for a gc looks again some time, and is not waited for.
            let at_work = |it: &Party| !it.has_ended && (!it.looks || it.waiting > 0);
            let mut next: Vec<usize> = (0..turns.parties.len())
                .filter(|&it| at_work(&turns.parties[it]))
                .collect();
            if next.is_empty() {
                next = (0..turns.parties.len())
                    .filter(|&it| !turns.parties[it].has_ended)
                    .collect();
            }
            if next.is_empty() {
                turns.deals = false;
                return;
            }
            let party = next[draw as usize % next.len()];
            let idle =
                |it: &mut Turns| !it.parties[party].has_ended && it.parties[party].waiting == 0;
            turns = self.changed.wait_while(turns, idle).unwrap();
            if turns.parties[party].has_ended {
                continue;
            }
            let most = turns.step.as_secs() + 1;
            turns.memory.now += Duration::from_secs(step % most);
            turns.turn = Some(party);
            self.changed.notify_all();
            turns = self
                .changed
                .wait_while(turns, |it| it.turn == Some(party))
                .unwrap();
        }
    }

    /// Carries these out beside each other.
    fn play(&self, parts: Vec<Box<dyn FnOnce() + Send + '_>>) {
        {
            let mut turns = self.turns.lock().unwrap();
            turns.deals = true;
            for absent in turns.parties.iter_mut().skip(parts.len()) {
                absent.has_ended = true;
            }
        }
        std::thread::scope(|scope| {
            for (party, part) in parts.into_iter().enumerate() {
                scope.spawn(move || {
                    part();
                    self.turns.lock().unwrap().parties[party].has_ended = true;
                    self.changed.notify_all();
                });
            }
            self.deal();
        });
    }
}

/// The store as a party sees it.
#[derive(Debug)]
struct Seen {
    table: Arc<Table>,
    party: usize,
}

impl Seen {
    fn ask<T>(&self, name: &str, request: impl FnOnce(&mut Memory) -> T) -> Result<T, Error> {
        self.table.request(self.party, name, request)
    }
}

fn contents(of: &mut dyn Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    of.read_to_end(&mut bytes).unwrap();
    bytes
}

impl Objects for Seen {
    fn create(&self, name: &str, of: &mut dyn Read) -> Result<bool, Error> {
        let bytes = contents(of);
        self.ask(name, |memory| {
            let is_new = !memory.objects.contains_key(name);
            if is_new {
                memory.objects.insert(name.to_owned(), (bytes, memory.now));
            }
            is_new
        })
    }

    fn overwrite(&self, name: &str, of: &mut dyn Read) -> Result<(), Error> {
        let bytes = contents(of);
        self.ask(name, |memory| {
            memory.objects.insert(name.to_owned(), (bytes, memory.now));
        })
    }

    fn read(&self, name: &str) -> Result<Option<Box<dyn Read>>, Error> {
        let found = self.ask(name, |memory| memory.objects.get(name).cloned())?;
        Ok(found.map(|(bytes, _)| Box::new(Cursor::new(bytes)) as Box<dyn Read>))
    }

    fn length(&self, name: &str) -> Result<Option<u64>, Error> {
        let length = |memory: &mut Memory| Some(memory.objects.get(name)?.0.len() as u64);
        self.ask(name, length)
    }

    fn modified(&self, name: &str) -> Result<Option<SystemTime>, Error> {
        let written = |memory: &mut Memory| Some(Memory::time(memory.objects.get(name)?.1));
        self.ask(name, written)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let below = format!("{prefix}/");
        self.ask(prefix, |memory| memory.names(&below).into_iter().collect())
    }

    fn all(&self) -> Result<Vec<Listed>, Error> {
        let listed = |(name, (bytes, written)): (&String, &(Vec<u8>, Duration))| Listed {
            name: name.clone(),
            bytes: bytes.len() as u64,
            modified: Memory::time(*written),
        };
        self.ask("", |memory| memory.objects.iter().map(listed).collect())
    }

    fn delete(&self, name: &str) -> Result<(), Error> {
        self.ask(name, |memory| memory.delete(name))
    }
}

/// A store in memory, and results that share outputs.
struct Lab {
    folder: tempfile::TempDir,
    table: Arc<Table>,
    /// The digests of the outputs of each result, by its key.
    outputs: BTreeMap<Digest, BTreeSet<Digest>>,
    texts: BTreeMap<Digest, (String, Vec<u8>)>,
}

impl Lab {
    /// With so many parties.
    fn new(parties: usize, chance: &mut Chance) -> Self {
        let table = Arc::new(Table::default());
        let parties = (0..parties).map(|_| Party::default());
        table.turns.lock().unwrap().parties = parties.collect();
        let mut lab = Self {
            folder: tempfile::tempdir().unwrap(),
            table,
            outputs: BTreeMap::new(),
            texts: BTreeMap::new(),
        };
        for number in 0..6 {
            let text = format!("pipeline manifest 1\nkind: toy\ncode: 1\nnumber: {number}\n");
            let which: Vec<u8> = (0..=chance.below(2))
                .map(|_| chance.below(4) as u8)
                .collect();
            let key = lab.publish("all", &text, &which);
            let digest = |&which: &u8| Digest::of(&vec![which; LARGE]);
            lab.outputs.insert(key, which.iter().map(digest).collect());
            lab.texts.insert(key, (text, which));
        }
        lab
    }

    fn store(&self, cache: &str) -> Store {
        Store::open(&self.folder.path().join(cache)).unwrap()
    }

    /// Puts a result into a cache.
    fn publish(&self, cache: &str, text: &str, which: &[u8]) -> Digest {
        let provenance = Provenance {
            program: "toy".to_owned(),
            commit: None,
            host: cache.to_owned(),
            device: "cpu".to_owned(),
            threads: 1,
            start: String::new(),
            seconds: 0.0,
            executor: Map::new(),
        };
        let output = |(at, &which): (usize, &u8)| {
            let bytes = vec![which; LARGE];
            (format!("out{at}"), Contents::Bytes(bytes))
        };
        let outputs = which.iter().enumerate().map(output).collect();
        let published = self
            .store(cache)
            .publish(text, outputs, Map::new(), provenance);
        published.unwrap().key
    }

    /// The remote before a cache, for a party.
    fn remote(&self, party: usize, cache: &str) -> Remote {
        let seen = Seen {
            table: Arc::clone(&self.table),
            party,
        };
        Remote::on(Box::new(seen), "memory", &self.store(cache), true).unwrap()
    }

    /// Results of a cache by their names.
    fn some(&self, chance: &mut Chance, cache: &str) -> BTreeMap<String, Digest> {
        let mut some = BTreeMap::new();
        for (key, (text, which)) in &self.texts {
            if !chance.one_in(2) {
                self.publish(cache, text, which);
                some.insert(key.to_string(), *key);
            }
        }
        some
    }

    /// Old results, some of which were lost on the way, and what a publisher is going to publish.
    fn before(&self, chance: &mut Chance) -> BTreeMap<String, Digest> {
        let old = self.some(chance, "old");
        self.remote(0, "old")
            .push(&self.store("old"), &old)
            .unwrap();
        let mut turns = self.table.turns.lock().unwrap();
        for name in turns.memory.names("ac/") {
            if chance.one_in(3) {
                turns.memory.objects.remove(&name);
            }
        }
        turns.memory.now += 40 * DAY;
        turns.chance = Some(Chance(chance.next()));
        drop(turns);
        self.some(chance, "new")
    }

    /// The keys of the records that there are, each with all its outputs; and nothing young has gone.
    fn check(&self, seed: u64) -> BTreeSet<Digest> {
        let turns = self.table.turns.lock().unwrap();
        assert_eq!(turns.memory.young, Vec::<String>::new(), "seed {seed}");
        let mut keys = BTreeSet::new();
        for name in turns.memory.names("ac/") {
            // Nobody looks behind a number that is not there.
            assert!(name.ends_with("-1"), "seed {seed}: {name}");
            let key = name.rsplit('/').next().unwrap();
            let key: Digest = key.split_once('-').unwrap().0.parse().unwrap();
            for output in &self.outputs[&key] {
                let is_there = turns.memory.objects.contains_key(&blob_name(*output));
                assert!(is_there, "seed {seed}: {key} lacks {output}");
            }
            keys.insert(key);
        }
        keys
    }

    /// After another gc that deletes no result, there are the outputs of the results and no others.
    fn check_garbage(&self, seed: u64) {
        {
            let mut turns = self.table.turns.lock().unwrap();
            turns.memory.now += 8 * DAY;
            // Who was killed is started anew.
            turns.parties[0].left = None;
        }
        let keys = self.check(seed);
        gc(&self.remote(0, "gc"), &self.store("gc"), &Policy::default()).unwrap();
        assert_eq!(self.check(seed), keys, "seed {seed}");
        let named = keys.iter().flat_map(|key| &self.outputs[key]);
        let named: BTreeSet<String> = named.map(|&it| blob_name(it)).collect();
        let turns = self.table.turns.lock().unwrap();
        assert_eq!(turns.memory.names("cas/"), named, "seed {seed}");
        assert_eq!(turns.memory.names("gc/"), BTreeSet::new(), "seed {seed}");
    }

    fn with_seed(seed: u64, parties: usize) -> (Self, Chance, BTreeMap<String, Digest>) {
        let mut chance = Chance(seed);
        let lab = Self::new(parties, &mut chance);
        let publishes = lab.before(&mut chance);
        (lab, chance, publishes)
    }
}

fn blob_name(digest: Digest) -> String {
    let name = digest.to_string();
    format!("cas/{}/{name}", &name[..2])
}

fn gc(remote: &Remote, store: &Store, policy: &Policy) -> Result<GcReport, Error> {
    remote.gc(store, policy, GRACE, true)
}

fn everything() -> Policy {
    Policy {
        older_than: Some(Duration::ZERO),
        ..Policy::default()
    }
}

#[test]
fn whatever_the_order_every_record_has_its_outputs() {
    let (mut published, deleted) = (0, Mutex::new(0));
    for seed in 0..300 {
        let (lab, _, publishes) = Lab::with_seed(seed, 2);
        // A listing may be hours old when it is acted on.
        lab.table.turns.lock().unwrap().step = Duration::from_hours(1);
        let (by, cache) = (lab.remote(0, "new"), lab.store("new"));
        let (cleaner, own) = (lab.remote(1, "gc"), lab.store("gc"));
        lab.table.play(vec![
            Box::new(|| {
                // One after the other, as they come.
                for (name, key) in &publishes {
                    let one = BTreeMap::from([(name.clone(), *key)]);
                    let moved = by.push(&cache, &one).unwrap();
                    assert!(moved.left.is_empty(), "seed {seed}: {moved:?}");
                }
            }),
            Box::new(|| {
                let report = gc(&cleaner, &own, &everything()).unwrap();
                *deleted.lock().unwrap() += report.deletions.len();
            }),
        ]);
        published += lab.check(seed).len();
        lab.check_garbage(seed);
    }
    let deleted = deleted.into_inner().unwrap();
    assert!(published > 300 && deleted > 300, "{published} {deleted}");
}

#[test]
fn of_two_gcs_at_once_beside_a_publisher_at_most_one_deletes() {
    let mut refused = 0;
    for seed in 1000..1100 {
        let (lab, _, publishes) = Lab::with_seed(seed, 3);
        lab.table.turns.lock().unwrap().step = Duration::from_secs(5);
        let (by, cache) = (lab.remote(0, "new"), lab.store("new"));
        let cleaners = [1, 2].map(|party| lab.remote(party, "gc"));
        let own = lab.store("gc");
        let ended = Mutex::new(Vec::new());
        let clean = |remote: &Remote| {
            let end = gc(remote, &own, &everything());
            assert!(
                matches!(end, Ok(_) | Err(Error::GcAtWork { .. })),
                "{end:?}"
            );
            ended.lock().unwrap().push(end.is_ok());
        };
        lab.table.play(vec![
            Box::new(|| drop(by.push(&cache, &publishes).unwrap())),
            Box::new(|| clean(&cleaners[0])),
            Box::new(|| clean(&cleaners[1])),
        ]);
        refused += ended
            .into_inner()
            .unwrap()
            .iter()
            .filter(|&&it| !it)
            .count();
        lab.check(seed);
        lab.check_garbage(seed);
    }
    assert!(refused > 20, "{refused}");
}

#[test]
fn a_gc_that_is_killed_before_any_request_leaves_what_the_next_one_deletes() {
    for seed in 2000..2020 {
        for at in 0.. {
            let (lab, _, publishes) = Lab::with_seed(seed, 3);
            let (cleaner, own) = (lab.remote(1, "gc"), lab.store("gc"));
            lab.table.turns.lock().unwrap().parties[1].left = Some(at);
            let ended = gc(&cleaner, &own, &everything());
            lab.check(seed);
            // It is gone, so that nobody need wait.
            let by = lab.remote(0, "new").with_patience(Duration::ZERO);
            let moved = by.push(&lab.store("new"), &publishes).unwrap();
            assert!(moved.left.is_empty(), "seed {seed}: {moved:?}");
            assert!(publishes.values().all(|key| lab.check(seed).contains(key)));
            lab.check_garbage(seed);
            if ended.is_ok() {
                assert!(at >= 8, "{at}");
                break;
            }
        }
    }
}

#[test]
fn after_a_publisher_that_was_killed_the_next_one_makes_good_what_it_left() {
    for seed in 3000..3200 {
        let (lab, mut chance, publishes) = Lab::with_seed(seed, 3);
        let (by, cache) = (lab.remote(0, "new"), lab.store("new"));
        let (cleaner, own) = (lab.remote(1, "gc"), lab.store("gc"));
        lab.table.turns.lock().unwrap().parties[0].left = Some(chance.below(25));
        lab.table.play(vec![
            Box::new(|| drop(by.push(&cache, &publishes))),
            Box::new(|| drop(gc(&cleaner, &own, &everything()).unwrap())),
        ]);
        let again = lab.remote(2, "new");
        let moved = again.push(&cache, &publishes).unwrap();
        assert!(moved.left.is_empty(), "seed {seed}: {moved:?}");
        lab.check(seed);
        let reader = lab.remote(2, "reader");
        let moved = reader.pull(&lab.store("reader"), &publishes).unwrap();
        assert!(moved.left.is_empty(), "seed {seed}: {moved:?}");
        lab.check_garbage(seed);
    }
}
