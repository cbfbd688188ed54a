"""One connection in use: its frames, its thread, its queue and its end.

The way of a message in: ``transport`` (bytes to frames) -> ``connection`` -> ``delivery`` (``protocol`` decodes) -> ``inbox`` and
``dispatch``. The way of one out: ``connection.send`` -> ``frames`` -> ``transport``. ``opening`` is where a connection begins.
``reader`` is the thread that does it all, and on a shared one what a ``timetable`` says is due.
"""
