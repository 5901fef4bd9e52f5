//! Policies and the rule engine: loading, merging, variables, actions, rate limits.
