"""The tests, one package: ``from tests.x import y`` holds everywhere, and each module is loaded once."""
