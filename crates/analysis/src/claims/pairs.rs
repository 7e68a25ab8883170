//! A claim on more than two methods: a table of pairs.
//!
//! Each pair is a part of the claim, with its effect over all batch sizes: what it says of two methods at every batch
//! size, it says of more on average. So the one rule of verdicts holds, with its correction for the number of pairs.

use super::decide::{Choices, Lack};
use super::judge::{Piece, Question, Rule};
use super::sample::Sample;
use super::{Choice, Claim, Pair, Part, Remark};

/// All pairs of methods, each in the order in which the claim names them.
fn of(claim: &Claim) -> Vec<Pair> {
    let methods = claim.methods();
    let pairs = methods.iter().enumerate().flat_map(|(place, first)| {
        methods[place + 1..]
            .iter()
            .map(|second| Pair::new(first, second))
    });
    pairs.collect()
}

/// The choices of a claim on two methods, or, of more, one choice with a part for each pair, that of the pair's first
/// choice.
pub(super) fn choices(claim: &Claim, of_pair: impl Fn(&Pair) -> Choices) -> Choices {
    let mut pairs = of(claim);
    if pairs.len() == 1 {
        return of_pair(&pairs.remove(0));
    }
    let mut pieces: Vec<Piece> = Vec::new();
    let mut remarks: Vec<Remark> = Vec::new();
    let mut decides: Option<Choice> = None;
    let mut lack: Option<(Choice, Lack)> = None;
    let mut without = None;
    for methods in pairs {
        let choices = of_pair(&methods);
        without = Some(choices.without);
        let Some((choice, question)) = choices.all.into_iter().next() else {
            continue;
        };
        match question {
            Ok(question) => {
                for remark in &question.remarks {
                    if !remarks.contains(remark) {
                        remarks.push(remark.clone());
                    }
                }
                pieces.extend(piece(&question, methods));
                decides.get_or_insert(choice);
            }
            Err(why) => {
                remarks.push(Remark::PairNotCompared { methods });
                lack.get_or_insert((choice, why));
            }
        }
    }
    let is_incomplete = lack.is_some();
    let without = without.expect("a claim is on two methods or more");
    let all = match (decides, lack) {
        (Some(choice), _) => vec![(
            choice,
            Ok(Question {
                pieces,
                rule: Rule::Every,
                overall: None,
                remarks,
                beside: Vec::new(),
                is_incomplete,
            }),
        )],
        (None, Some((choice, lack))) => vec![(choice, Err(lack))],
        (None, None) => Vec::new(),
    };
    Choices { all, without }
}

/// A pair with its effect over all parts.
fn piece(question: &Question, methods: Pair) -> Option<Piece> {
    let first = question.pieces.first()?;
    let sample = match question.rule {
        Rule::Every => Sample::average(question.pieces.iter().map(|piece| &piece.sample)),
        Rule::Joined => first.sample.clone(),
    };
    Some(Piece {
        quantity: first.quantity.clone(),
        part: Some(Part::Methods(methods)),
        sample,
        condition: first.condition,
    })
}
