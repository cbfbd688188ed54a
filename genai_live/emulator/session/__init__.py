"""One WebSocket: what its messages do; a file imports only from files above it.

=====================  =============================================================================
tokens, resumption     credentials that were made here, and handles of sessions
setup_checks           what can be wrong with a setup
server_state           what all sessions share
session                what every WebSocket has: decoding, checking, noting, sending, ending
live_session           the Live method
music_session          the music method
=====================  =============================================================================
"""
