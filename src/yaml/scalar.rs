//! What a plain scalar reads as.

/// See Flux.
#[must_use]
pub fn reads_as_non_string_in_yaml_1_1(_text: &str) -> bool {
    false
}
