//! Networks and runs from outside, in one program: burn is linked once.

mod formula;
mod measures;
mod networks;
mod new_rule;
mod pytorch;
mod resume;
mod sgd_beside_pytorch;
mod transfer;
mod whole;
