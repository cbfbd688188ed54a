"""A Django project whose page talks with the model. ``urls`` has all that is the voice's; ``asgi`` what Channels needs beside it."""
