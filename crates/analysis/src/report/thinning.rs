//! Long loss curves, thinned without hiding a spike.

use super::{BUCKETS, LossBucket};
use crate::Updates;

/// Mini-batch losses as the smallest and largest of at most [`BUCKETS`] buckets of equal length, and that length in
/// steps. Not smoothed: every peak and trough keeps its height, and is placed to a bucket. With a length of 1 nothing
/// is thinned. Losses that are not finite are left out of their bucket, buckets without a row altogether.
pub fn thin(updates: &Updates) -> (Vec<LossBucket>, u64) {
    let last = updates.last_step();
    let length = last.div_ceil(BUCKETS as u64).max(1);
    let mut buckets: Vec<LossBucket> = Vec::new();
    for (step, loss) in updates.losses() {
        if buckets.last().is_none_or(|bucket| bucket.to < step) {
            let from = (step - 1) / length * length + 1;
            buckets.push(LossBucket {
                from,
                to: (from + length - 1).min(last),
                low: None,
                high: None,
            });
        }
        if let Some(bucket) = buckets.last_mut()
            && loss.is_finite()
        {
            bucket.low = Some(bucket.low.map_or(loss, |low| low.min(loss)));
            bucket.high = Some(bucket.high.map_or(loss, |high| high.max(loss)));
        }
    }
    (buckets, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(loss: &[f32]) -> Updates {
        Updates::of_every_step(loss.to_vec(), vec![0.1; loss.len()])
    }

    #[test]
    fn losses_few_and_far_between_have_a_bucket_each() {
        let steps = vec![50_000_000, 100_000_000];
        let (buckets, length) = thin(&Updates::at(steps, vec![2.0, 1.0], vec![0.1, 0.1]));
        let ends: Vec<_> = buckets.iter().map(|at| (at.from, at.to, at.low)).collect();
        let length_of_all = 100_000_000_u64.div_ceil(240);
        assert_eq!(length, length_of_all);
        assert_eq!(ends.len(), 2);
        assert!((ends[0].0..=ends[0].1).contains(&50_000_000) && ends[0].2 == Some(2.0));
        assert_eq!((ends[1].1, ends[1].2), (100_000_000, Some(1.0)));
    }

    #[test]
    fn a_short_curve_is_left_as_it_is() {
        let (buckets, length) = thin(&every(&[2.0, 1.0, f32::NAN]));
        assert_eq!(length, 1);
        let lows: Vec<_> = buckets
            .iter()
            .map(|bucket| (bucket.from, bucket.to, bucket.low, bucket.high))
            .collect();
        assert_eq!(
            lows,
            [
                (1, 1, Some(2.0), Some(2.0)),
                (2, 2, Some(1.0), Some(1.0)),
                (3, 3, None, None)
            ]
        );
        assert_eq!(thin(&every(&[])), (Vec::new(), 1));
    }

    #[test]
    fn a_spike_survives_and_every_step_is_in_one_bucket() {
        let mut loss = vec![0.5f32; 10_007];
        loss[4_321] = 9.0;
        let (buckets, length) = thin(&every(&loss));
        assert!(buckets.len() <= BUCKETS);
        assert_eq!(length, 42);
        let spiked: Vec<_> = buckets
            .iter()
            .filter(|bucket| bucket.high == Some(9.0))
            .collect();
        assert_eq!(spiked.len(), 1);
        assert!((spiked[0].from..=spiked[0].to).contains(&4_322) && spiked[0].low == Some(0.5));
        assert_eq!(buckets[0].from, 1);
        assert!(
            buckets
                .windows(2)
                .all(|pair| pair[0].to + 1 == pair[1].from)
        );
        assert_eq!(buckets.last().map(|bucket| bucket.to), Some(10_007));
    }
}
