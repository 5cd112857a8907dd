//! Tests that need to reach inside.
