"""Sound into a session at the speed of a microphone: where it comes from, when a chunk is due, the handle that the user holds."""
