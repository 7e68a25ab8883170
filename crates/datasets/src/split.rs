//! Stratified splits with exact counts.

use crate::Error;
use crate::random::Stream;

/// Splits examples into parts of exactly the counts asked for, each with the classes in the
/// proportions of what the parts before it left over, by largest remainders. Which examples of a class
/// go where is drawn; within a part they keep their order. `parts` names them in errors.
///
/// # Errors
///
/// [`Error::SplitTooLarge`].
pub(crate) fn stratified<const N: usize>(
    parts: &'static str,
    labels: &[u8],
    counts: [usize; N],
    stream: &mut Stream,
) -> Result<[Vec<usize>; N], Error> {
    let wanted = counts
        .iter()
        .fold(0_usize, |sum, count| sum.saturating_add(*count));
    if wanted > labels.len() {
        return Err(Error::SplitTooLarge {
            parts,
            wanted,
            available: labels.len(),
        });
    }
    let classes = labels
        .iter()
        .max()
        .map_or(0, |highest| usize::from(*highest) + 1);
    let mut left: Vec<Vec<usize>> = (0..classes)
        .map(|class| {
            let members: Vec<usize> = (0..labels.len())
                .filter(|i| usize::from(labels[*i]) == class)
                .collect();
            stream
                .permutation(members.len())
                .into_iter()
                .map(|i| members[i as usize])
                .collect()
        })
        .collect();

    Ok(counts.map(|count| {
        let sizes: Vec<usize> = left.iter().map(Vec::len).collect();
        let mut part: Vec<usize> = largest_remainders(&sizes, count)
            .into_iter()
            .zip(&mut left)
            .flat_map(|(share, members)| members.drain(..share))
            .collect();
        part.sort_unstable();
        part
    }))
}

/// Shares of `count` in the proportions of `sizes`, each rounded down or up, none above its size.
fn largest_remainders(sizes: &[usize], count: usize) -> Vec<usize> {
    let total: usize = sizes.iter().sum();
    if count == 0 {
        return vec![0; sizes.len()];
    }
    let mut shares: Vec<usize> = sizes.iter().map(|size| size * count / total).collect();
    let missing = count - shares.iter().sum::<usize>();
    let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
    by_remainder.sort_by_key(|class| std::cmp::Reverse(sizes[*class] * count % total));
    for class in &by_remainder[..missing] {
        shares[*class] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    fn labels() -> Vec<u8> {
        // 7, 14, 21, 28 and 30 members, interleaved.
        let mut stream = Stream::new(0, Purpose::Split, 9);
        let sorted: Vec<u8> = [7, 14, 21, 28, 30]
            .iter()
            .zip(0..)
            .flat_map(|(count, class)| vec![class; *count])
            .collect();
        stream
            .permutation(sorted.len())
            .into_iter()
            .map(|i| sorted[i as usize])
            .collect()
    }

    #[test]
    fn counts_are_exact_and_parts_disjoint() {
        let labels = labels();
        for counts in [
            [100, 0, 0],
            [50, 25, 25],
            [33, 33, 33],
            [1, 1, 1],
            [70, 0, 30],
            [98, 1, 1],
        ] {
            let parts = stratified(
                "parts",
                &labels,
                counts,
                &mut Stream::new(1, Purpose::Split, 0),
            )
            .unwrap();
            assert_eq!(parts.each_ref().map(Vec::len), counts);
            let mut all = parts.concat();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), counts.iter().sum::<usize>());
        }
    }

    #[test]
    fn every_class_has_its_share_of_the_first_part_to_within_one() {
        let labels = labels();
        let parts = stratified(
            "parts",
            &labels,
            [50, 25, 25],
            &mut Stream::new(1, Purpose::Split, 0),
        )
        .unwrap();
        for (class, size) in [7.0, 14.0, 21.0, 28.0, 30.0].into_iter().enumerate() {
            let members = parts[0]
                .iter()
                .filter(|i| usize::from(labels[**i]) == class)
                .count();
            assert!(
                (members as f64 - size * 0.5).abs() < 1.0,
                "class {class}: {members}"
            );
        }
    }

    #[test]
    fn a_split_larger_than_its_source_is_an_error() {
        let error = stratified(
            "parts",
            &labels(),
            [90, 10, 1],
            &mut Stream::new(1, Purpose::Split, 0),
        );
        assert!(matches!(
            error,
            Err(Error::SplitTooLarge {
                wanted: 101,
                available: 100,
                ..
            })
        ));
    }

    #[test]
    fn ties_between_remainders_go_to_the_first_class() {
        assert_eq!(largest_remainders(&[10, 10, 10], 4), [2, 1, 1]);
        assert_eq!(largest_remainders(&[3, 0, 5], 8), [3, 0, 5]);
    }
}
