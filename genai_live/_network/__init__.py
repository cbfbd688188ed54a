"""From a URL to a connected, upgraded WebSocket, and REST beside it, under one rule for proxies, trust and deadlines.

The way to a connection: ``dial`` (``options``) -> ``tcp`` -> ``tunnel`` (to the ``proxy``) -> TLS (``trust``, ``tls_in_tls``) ->
``upgrade`` (``headers`` out, an ``http_answer`` back). Then ``transport`` moves ``frames``, with ``masking`` on the way out.
``rest`` is one request over HTTP by the same rules.
"""
