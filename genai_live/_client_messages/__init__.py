"""What the client says, made and checked before any byte is sent: the setup message, inputs, tools, music.

The way of a message: the user's values -> ``contents``, with its ``pictures``, ``sounds`` and their ``bare_bytes``, and
``tool_list``, with its ``declaration_form`` -> ``setup``, with its ``family_checks`` and ``first_message``, ``inputs`` or
``music_inputs`` -> JSON.
"""
