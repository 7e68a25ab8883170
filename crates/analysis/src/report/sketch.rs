//! A run's mini-batch losses in a few buckets that grow with the step: enough to see how a run went
//! beside thousands of others.

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

/// Sketches mini-batch losses (`[steps]`, nats). Not smoothed: every peak and trough keeps its height.
pub fn sketch(loss: &[f32]) -> Sketch {
    let mut buckets = Vec::new();
    loop {
        let (from, to) = (
            edge(buckets.len()) as usize,
            edge(buckets.len() + 1) as usize,
        );
        if from > loss.len() {
            return buckets;
        }
        let bucket = &loss[from - 1..loss.len().min(to - 1)];
        let finite = || bucket.iter().copied().filter(|loss| loss.is_finite());
        let ends = finite().reduce(f32::min).zip(finite().reduce(f32::max));
        buckets.push(ends.map(|(low, high)| (rounded(low), rounded(high))));
    }
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
}
