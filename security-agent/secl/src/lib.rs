//! SECL, the rule language of Cloud Workload Security: parser, type checker, compiler, evaluator.
