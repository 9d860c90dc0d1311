//! The examples lie in `examples/`; each is a program of its own.
