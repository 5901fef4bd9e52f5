//! Both real processes on a real kernel.
