"""Long runs that show what short tests cannot: hours, thousands of connections, millions of messages. Not part of the package.

``python -m soak`` runs all of them, about twenty minutes, and prints a table; ``python -m soak --record`` also writes it into
docs/reliability.md. ``python -m soak connects messages`` runs some; ``--minutes`` sets how long tls, drops and numbers take, and
``--seed`` their chance.
"""
