"""From a URL to WebSocket messages, and REST beside it, under one rule for proxies, trust and deadlines.

The way of a connection: ``dial`` -> ``route`` (``tcp`` -> ``tunnel`` or ``socks`` -> TLS: ``trust``, ``tls_in_tls``) ->
``upgrade`` -> ``transport``.

``dial``         from credentials to a transport
``route``        from here to a server, for WebSocket and REST alike: the phases of one attempt, within one deadline
``tcp``          name lookup, a race of addresses, and waits that another thread can end
``proxy``        which proxy, from settings, environment and system
``tunnel``       through it: HTTP CONNECT
``socks``        through it: SOCKS 4 to 5h
``trust``        which certificates are believed
``tls_in_tls``   TLS to the service inside TLS to a proxy
``upgrade``      the WebSocket handshake
``http_answer``  the head of an HTTP answer
``headers``      what headers may hold, and which of them are secret
``options``      ``http_options`` as numbers and objects
``transport``    whole frames out, events in, over one socket that many threads may use
``frames``       RFC 6455: bytes to frames, masked, and back
``rest``         one request and its answer, for ephemeral tokens and the list of models
``google_session``  what google-auth fetches its tokens with, by the same rules
"""
