"""The model: what it hears, and what it says; a file imports only from files above it.

=========================================  =========================================================
profiles, usage, catalogue                 what is known of families of models, token counts, and the list of models
pcm, voice_activity, utterances            sound: samples, voice activity detection, speech cut into utterances
session_options                            the setup message as read
answers, speech, voice                     words for a prompt, tones or ``emulator-voice`` for words
response_writer, conversation              one answer as messages, and turns as a table of states
=========================================  =========================================================
"""
