"""How much of the client's time the driver takes; run with `python -m benchmarks`."""
