"""What the client says, made and checked before any byte is sent: the setup message, inputs, tools, music.

The way of a message: the user's values -> ``contents`` and ``tool_list`` -> ``setup``, ``inputs`` or ``music_inputs`` -> JSON.
``family_checks`` refuses what the model's family would refuse, and ``declaration_form`` gives functions the form that it sees.
"""
