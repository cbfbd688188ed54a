"""From a URL to a connected, upgraded WebSocket, and REST beside it, under one rule for proxies, trust and deadlines.

The way of a connection: ``dial`` -> ``tcp`` -> ``tunnel`` (a proxy) -> TLS (``trust``, ``tls_in_tls``) -> ``upgrade``.
"""
