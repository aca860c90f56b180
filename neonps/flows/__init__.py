"""What the driver does, as generators that yield I/O requests and never touch a socket.

A flow yields the requests of `neonps.flows.requests` and is sent back what came of each. `neonps.net`
has the runners that carry them out.
"""
