//! Long loss curves, thinned without hiding a spike.

use super::{BUCKETS, LossBucket};

/// Mini-batch losses (`[steps]`, nats) as the smallest and largest of at most [`BUCKETS`] buckets of
/// equal length, and that length in steps. Not smoothed: every peak and trough keeps its height, and is
/// placed to a bucket. With a length of 1 nothing is thinned. Losses that are not finite are left out of
/// their bucket.
pub fn thin(loss: &[f32]) -> (Vec<LossBucket>, u64) {
    let length = loss.len().div_ceil(BUCKETS).max(1);
    let buckets = loss.chunks(length).enumerate().map(|(index, bucket)| {
        let finite = || bucket.iter().copied().filter(|loss| loss.is_finite());
        let from = (index * length) as u64 + 1;
        LossBucket {
            from,
            to: from + bucket.len() as u64 - 1,
            low: finite().reduce(f32::min),
            high: finite().reduce(f32::max),
        }
    });
    (buckets.collect(), length as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_curve_is_left_as_it_is() {
        let (buckets, length) = thin(&[2.0, 1.0, f32::NAN]);
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
        assert_eq!(thin(&[]), (Vec::new(), 1));
    }

    #[test]
    fn a_spike_survives_and_every_step_is_in_one_bucket() {
        let mut loss = vec![0.5f32; 10_007];
        loss[4_321] = 9.0;
        let (buckets, length) = thin(&loss);
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
