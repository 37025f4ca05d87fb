"""A whole phone in a few small modules, for authors of apps to read: it shares no code with the server."""
