"""The clients that are compared, one module each, each run in a process of its own: ``python -m benchmarks.peers.NAME``."""
