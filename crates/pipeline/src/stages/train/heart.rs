//! What a run says of itself: how far it is, and that it goes on while a step takes long. To invert a Kronecker factor of
//! 4097 x 4097 takes a minute, and a run that says nothing for so long looks dead.

use std::fmt::Write as _;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use engine::{Job, Progress};
use runs::settings::Optimizer;
use training::{Course, Data, Settings};

/// How long a step may take before it is spoken of, and how often it is then.
const PATIENCE: Duration = Duration::from_secs(5);
/// A Kronecker factor of this side is inverted in an instant.
const SMALL: u64 = 1024;

/// The progress of one run.
pub(super) struct Heartbeat {
    last: Mutex<Last>,
    total: u64,
    /// Where these take their time.
    inversions: Option<Inversions>,
}

/// Inversions of Kronecker factors.
struct Inversions {
    /// Steps from one to the next.
    every: u64,
    /// Steps by which each but the first comes later.
    delay: u64,
    /// Of the largest factor.
    side: u64,
}

impl Inversions {
    /// Whether there is one in the update after `done`.
    fn follow(&self, done: u64) -> bool {
        done == 0 || done > self.delay && done % self.every == self.delay
    }
}

struct Last {
    done: u64,
    /// Of the last mini-batch; none before the first.
    loss: Option<f64>,
    at: Instant,
}

impl Heartbeat {
    /// Of a run after `done` updates.
    pub(super) fn new(settings: &Settings, course: &Course, data: &Data, done: u64) -> Self {
        let image = [data.channels, data.height, data.width].map(|size| size as u64);
        let side = settings.model.largest_factor(image, data.classes as u64);
        let inversions = match &settings.optimizer {
            Optimizer::Kfac(kfac) if side > SMALL => Some(Inversions {
                every: u64::from(kfac.inverse_every.get()),
                delay: u64::from(kfac.delay),
                side,
            }),
            _ => None,
        };
        Self {
            last: Mutex::new(Last {
                done,
                loss: None,
                at: Instant::now(),
            }),
            total: course.steps(),
            inversions,
        }
    }

    /// Does something during which the run is said to go on.
    pub(super) fn beat_during<T>(&self, job: &Job<'_>, work: impl FnOnce() -> T) -> T {
        thread::scope(|scope| {
            let (over, ended) = mpsc::channel::<()>();
            scope.spawn(move || {
                while ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                    if let Some(progress) = self.sign_of_life(Instant::now()) {
                        job.progress(|| progress);
                    }
                }
            });
            let given = work();
            drop(over);
            given
        })
    }

    /// To be told after every update.
    pub(super) fn after_update(&self, job: &Job<'_>, at: training::Progress) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Last {
            done: at.step,
            loss: at.loss,
            at: Instant::now(),
        };
        job.progress(|| Progress {
            done: at.step,
            total: at.steps,
            text: at
                .loss
                .map_or_else(String::new, |loss| format!("loss {loss:.3}")),
        });
    }

    /// What to say of a step that takes long.
    fn sign_of_life(&self, now: Instant) -> Option<Progress> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now.saturating_duration_since(last.at);
        if since < PATIENCE {
            return None;
        }
        let seconds = since.as_secs();
        let mut text = match last.loss {
            Some(loss) => format!("loss {loss:.3} {seconds} s ago"),
            None => format!("no step for {seconds} s"),
        };
        if let Some(inversions) = &self.inversions
            && inversions.follow(last.done)
        {
            let side = inversions.side;
            let _ = write!(text, ", K-FAC inverts factors of up to {side} x {side}");
        }
        Some(Progress {
            done: last.done,
            total: self.total,
            text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inversions_come_later_by_the_delay_but_for_the_first() {
        let of = |delay| Inversions {
            every: 4,
            delay,
            side: 4097,
        };
        let at = |delay| {
            let of = of(delay);
            (0..12)
                .filter(|&done| of.follow(done))
                .collect::<Vec<u64>>()
        };
        assert_eq!((at(0), at(3)), (vec![0, 4, 8], vec![0, 7, 11]));
    }

    #[test]
    fn a_step_that_takes_long_is_spoken_of_with_what_takes_long_in_it() {
        let start = Instant::now();
        let heart = |done, loss| Heartbeat {
            last: Mutex::new(Last {
                done,
                loss,
                at: start,
            }),
            total: 40,
            inversions: Some(Inversions {
                every: 10,
                delay: 0,
                side: 4097,
            }),
        };
        let after = |heart: Heartbeat, seconds| {
            let life = heart.sign_of_life(start + Duration::from_secs(seconds));
            life.map(|life| format!("{}/{} {}", life.done, life.total, life.text))
        };
        assert_eq!(after(heart(11, Some(2.3)), 4), None);
        assert_eq!(
            after(heart(11, Some(2.3)), 12).as_deref(),
            Some("11/40 loss 2.300 12 s ago")
        );
        assert_eq!(
            after(heart(0, None), 7).as_deref(),
            Some("0/40 no step for 7 s, K-FAC inverts factors of up to 4097 x 4097")
        );
    }
}
