"""The version of the package, in a file of its own so that packaging can read it without importing the library."""

__version__ = "0.4.0"
