"""The protocols, sans-IO: bytes in, events out. Nothing here knows of sockets, clocks or event loops."""
