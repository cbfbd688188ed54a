"""This library beside its peers, each a process of its own, all against one cheap server: ``python -m benchmarks --help``."""
