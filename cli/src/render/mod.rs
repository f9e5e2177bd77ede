//! Reports for people. All wording of results lives here and in [`crate::words`].

pub mod compare;
pub mod explain;
pub mod fault;
pub mod picture;
pub mod run;
pub mod table;
pub mod view;
