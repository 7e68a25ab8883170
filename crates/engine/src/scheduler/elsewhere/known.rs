//! Results that others have published: when this copy looks at them, and what is told of them.
//!
//! A look is a request, and each copy would make one for each result of all others. So it waits until the record is here
//! in a pack, as long as nothing here needs it: until a stage that reads it waits for nothing else, or this copy has
//! nothing else to do.

use crate::scheduler::Scheduler;
use crate::scheduler::node::{Node, State};
use crate::{Digest, Event, StageId};

impl Scheduler<'_> {
    /// Another copy has published the result of a stage.
    pub(super) fn know(&mut self, id: StageId, key: Digest) {
        let Some(others) = &mut self.elsewhere else {
            return;
        };
        others.known.insert(key);
        if others.remote.packed(key).is_some() {
            self.look_at(&[key]);
        } else {
            self.look_for_readers_of(id);
        }
    }

    /// Looks at those that are packed by now.
    pub(super) fn look_at_packed(&mut self) {
        let Some(others) = &self.elsewhere else {
            return;
        };
        let known = others.known.iter().copied();
        let packed: Vec<Digest> = known
            .filter(|&key| others.remote.packed(key).is_some())
            .collect();
        self.look_at(&packed);
    }

    /// There is nothing else to do: looks at all.
    pub(in crate::scheduler) fn look_at_all_known(&mut self) {
        let known = self.elsewhere.as_ref().map(|others| &others.known);
        let all: Vec<Digest> = known.into_iter().flatten().copied().collect();
        self.look_at(&all);
    }

    /// Looks at what the readers of a stage wait for, where that is nothing but such results.
    pub(in crate::scheduler) fn look_for_readers_of(&mut self, id: StageId) {
        let known = self.elsewhere.as_ref().map_or(0, |it| it.known.len());
        if known == 0 {
            return;
        }
        for &reader in self.graph.readers(id) {
            let unsettled = self.nodes[reader.index()].unsettled;
            if unsettled > known {
                continue;
            }
            let reads = self.graph.upstream(reader).iter();
            let nodes = reads.map(|read| &self.nodes[read.index()]);
            let of_others = nodes.filter(|node| node.state == State::Known);
            let keys: Vec<Digest> = of_others.map(Node::resolved).collect();
            if keys.len() == unsettled {
                self.look_at(&keys);
            }
        }
    }

    fn look_at(&mut self, keys: &[Digest]) {
        for &key in keys {
            let Some(others) = &mut self.elsewhere else {
                return;
            };
            others.known.remove(&key);
            let Some(&id) = others.stages.get(&key) else {
                continue;
            };
            if self.nodes[id.index()].state == State::Known {
                others.member.look(others.now(), key);
                self.node(id).state = State::Fetching;
            }
        }
    }

    /// Tells what the others have done and are at, as far as this copy knows, where that is news.
    pub(super) fn tell_of_others(&mut self) {
        let Some(others) = &mut self.elsewhere else {
            return;
        };
        let mut done = Vec::new();
        for (id, node) in self.graph.ids().zip(&self.nodes) {
            let is_open = matches!(node.state, State::Ready | State::Elsewhere | State::Known);
            if let Some(key) = node.key
                && is_open
                && others.member.status(key) == fleet::StageStatus::Done
                && others.told_done.insert(id)
            {
                done.push(id);
            }
        }
        let running = others.member.held_by_others();
        let was = std::mem::replace(&mut others.told_running, running);
        if !done.is_empty() || running != was {
            self.emit(Event::Others { done, running });
        }
    }
}
