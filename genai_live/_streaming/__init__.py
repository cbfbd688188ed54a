"""Sound into a session: where it comes from, when a chunk is due, how it goes out, the handle that the user holds.

``sound_source``  what a caller gives, as chunks of 16 kHz mono; a thread that pulls an iterable ahead
``pace``          when a chunk is due
``sound_sink``    where it goes into a session, and the one stream under way
``sound_feed``    a source that is handed its sound by threads that must not wait, a sound card's own among them
``sound_hold``    sound that waits while a call of the model has no answer
``sending``       chunk after chunk, on the caller's thread or on the one that paces
``audio_stream``  ``stream_audio`` and its handle
"""
