//! The `servette` command.

fn main() {}
