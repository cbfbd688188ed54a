"""A Django project whose page talks with the model: ``urls`` has all of the voice, ``asgi`` what Channels needs beside it."""
