//! What is to change, and whose change it is.
//!
//! [`edits`] makes the edits of a text, [`takers`] says which automation makes each,
//! [`unreached`] tells of markers that none comes to, [`outcome`] is the record of a run,
//! [`planned`] what it plans for the files of a checkout.

pub mod clusters;
pub mod edits;
pub mod labels;
pub mod outcome;
pub mod planned;
pub mod takers;
pub mod unreached;
