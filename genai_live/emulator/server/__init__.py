"""From a socket to a checked message, in the emulator's own thread; a file imports only from files above it.

=======================  ============================================================================
settings                 what one emulator was asked to be
request, listener        the HTTP request that opens a connection, and what a connection delivers to
admission                which requests are taken, by their Host and Origin
connection               one TCP connection: HTTP head, upgrade, WebSocket frames, misbehaviour on the wire
entrance, certificates   what is let in, and how TLS is spoken
server_thread            a TCP (and TLS) server in a thread of its own
validation, encoding     messages: checked as protobuf JSON, written as the service does
received                 what clients said, kept with times
=======================  ============================================================================
"""
