//! A run's mini-batch losses in a few buckets that grow with the step: enough to see how a run went
//! beside thousands of others.

use crate::Updates;

/// Smallest and largest loss (nats, three significant digits) of each bucket; `None` where no loss is
/// finite. Bucket i holds the steps from [`edge`]`(i)` up to before [`edge`]`(i + 1)`, for every run the
/// same: two buckets for each doubling of the step.
pub type Sketch = Vec<Option<(f32, f32)>>;

/// First step of a bucket: 1, 2, 3, 4, 6, 8, 12, 16, 24, ...
pub fn edge(bucket: usize) -> u64 {
    match bucket {
        0 => 1,
        i if i % 2 == 1 => 2 << (i / 2),
        i => 3 << (i / 2 - 1),
    }
}

/// Sketches mini-batch losses. Not smoothed: every peak and trough keeps its height.
pub fn sketch(updates: &Updates) -> Sketch {
    let mut buckets: Sketch = Vec::new();
    for (step, loss) in updates.losses() {
        while edge(buckets.len()) <= step {
            buckets.push(None);
        }
        if let Some(bucket) = buckets.last_mut()
            && loss.is_finite()
        {
            let (low, high) = bucket.unwrap_or((loss, loss));
            *bucket = Some((low.min(loss), high.max(loss)));
        }
    }
    let rounded = |(low, high)| (rounded(low), rounded(high));
    buckets
        .into_iter()
        .map(|bucket| bucket.map(rounded))
        .collect()
}

/// To three significant digits, so that tables of thousands of runs stay small.
fn rounded(loss: f32) -> f32 {
    format!("{loss:.2e}").parse().unwrap_or(loss)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_lies_in_one_bucket_and_no_spike_is_lost() {
        let edges: Vec<u64> = (0..10).map(edge).collect();
        assert_eq!(edges, [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]);
        let mut loss = vec![0.5_f32; 1000];
        loss[700] = 9.25;
        loss[0] = f32::NAN;
        let sketch = |loss: &[f32]| {
            let rates = vec![0.1; loss.len()];
            sketch(&Updates::of_every_step(loss.to_vec(), rates))
        };
        let buckets = sketch(&loss);
        // The last begins at step 768; step 701 lies in [512, 768).
        assert_eq!(buckets.len(), 19);
        assert_eq!(buckets[0], None);
        let spiked: Vec<usize> = (0..19)
            .filter(|i| buckets[*i] == Some((0.5, 9.25)))
            .collect();
        assert_eq!(spiked, [17]);
        assert_eq!((edge(17), edge(18)), (512, 768));
        assert_eq!(sketch(&[]), vec![]);
        assert_eq!(
            sketch(&[1.2345, 2.0]),
            vec![Some((1.23, 1.23)), Some((2.0, 2.0))]
        );
    }

    #[test]
    fn a_sketch_has_as_many_buckets_as_doublings_however_few_the_losses() {
        let steps = vec![50_000_000, 100_000_000];
        let buckets = sketch(&Updates::at(steps, vec![2.0, 1.0], vec![0.1, 0.1]));
        let known = buckets.iter().enumerate();
        let known: Vec<_> = known
            .filter_map(|(i, ends)| Some((edge(i), (*ends)?)))
            .collect();
        let (early, late) = (3 << 24, 3 << 25);
        assert_eq!(buckets.len(), 52);
        assert_eq!(
            known,
            [
                (early - (1 << 24), (2.0, 2.0)),
                (late - (1 << 25), (1.0, 1.0))
            ]
        );
    }
}
