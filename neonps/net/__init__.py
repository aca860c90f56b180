"""The only place that touches a socket: runners, which carry out what flows ask for."""
