//! Real, unmodified clients against minikeeper.
