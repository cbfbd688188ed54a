"""A Live session's connection: opened, kept alive, ended, and followed by another one; its messages, its queue, its threads.

The way of a message in: ``connection`` (reads, times, ends) -> ``delivery`` (``protocol`` decodes, ``ledger`` says whose it
is) -> ``inbox`` (the queue) and ``dispatch`` (callbacks). The way of one out: ``channel`` decides its fate -> ``connection`` ->
``genai_live._network``.

``opening``        from a checked setup message to an open channel, with retries; the caller's thread
``channel``        what a session holds: one connection, or several in a row; one state
``connection``     one connection in use
``ending``         how one connection ends, decided once
``keepalive``      when to ping, and when silence is an end; pure
``protocol``       the streaming methods without socket, thread or clock: states, tools, resumption, usage
``ledger``         when a turn ends, and which answer belongs to which question; pure
``questions``      what is asked, and whose a message is; plain data
``reconnecting``   whether another connection follows, when, and with which handle; pure
``outbox``         messages that wait for a connection; pure
``delivery``       from a frame to everybody who waits for its message
``inbox``          the queue between the reader and the receiver
``dispatch``       runs callbacks, here or on an executor
``reader``         the thread: a poll loop over the connections that it owns
``timetable``      work that is due at its time, such as paced sound; pure
``pacing_thread``  the process's thread for paced sound, where no shared reader sends it
"""
