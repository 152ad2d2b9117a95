//! The assessment as text.

mod json;
mod result;

pub use json::json;
pub use result::{reason, result_line};
