"""The subcommands of `neonps`: `query`, `load`, `local` and `doctor`, and what they are made of."""
