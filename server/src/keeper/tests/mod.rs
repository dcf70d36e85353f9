//! Each rule by a literal input and the outputs that follow.
