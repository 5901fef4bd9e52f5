//! Configuration keys of both processes: one table, YAML files, environment.
