//! The clocks of machines, which neither begin nor go alike.

use std::time::Duration;

/// Microseconds of the simulation.
pub(crate) type Time = u64;
pub(crate) const SECOND: Time = 1_000_000;

/// A copy's clock.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    /// What it shows at time 0.
    pub(crate) offset: Time,
    /// How fast it goes.
    pub(crate) rate: f64,
}

impl Clock {
    /// What it shows.
    pub(crate) fn shows(self, now: Time) -> Duration {
        Duration::from_micros(self.offset + (now as f64 * self.rate) as Time)
    }

    /// When it shows that.
    pub(crate) fn when(self, shown: Duration) -> Time {
        let micros = u64::try_from(shown.as_micros()).unwrap_or(Time::MAX / 2);
        ((micros + 1).saturating_sub(self.offset) as f64 / self.rate) as Time + 2
    }
}
