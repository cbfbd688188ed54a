"""What the client says, made and checked before any byte is sent: the setup message, inputs, tools, music.

The way of a message: the user's values -> ``contents`` and ``tool_list`` (in the form that the model's
family takes: ``declaration_form``, checked by ``family_checks``) -> ``setup``, ``inputs`` or ``music_inputs`` -> JSON.
"""
