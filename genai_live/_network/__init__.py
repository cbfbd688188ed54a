"""From a URL to WebSocket messages, and REST beside it, under one rule for proxies, trust and deadlines.

The way of a connection: ``dial`` -> ``tcp`` -> ``tunnel`` (a proxy) -> TLS (``trust``, ``tls_in_tls``) -> ``upgrade`` ->
``transport``.

``dial``         the phases of one attempt, from credentials to a transport, within one deadline
``tcp``          name lookup and a race of addresses
``proxy``        which proxy, from settings and environment
``tunnel``       through it: HTTP CONNECT and SOCKS
``trust``        which certificates are believed
``tls_in_tls``   TLS to the service inside TLS to a proxy
``upgrade``      the WebSocket handshake
``http_answer``  the head of an HTTP answer
``headers``      what headers may hold, and which of them are secret
``options``      ``http_options`` as numbers and objects
``transport``    whole frames out, events in, over one socket that many threads may use
``frames``       RFC 6455: bytes to frames and back
``masking``      the exclusive or of a client's frames
``rest``         one POST, for ephemeral tokens
"""
