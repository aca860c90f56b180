"""The subcommands of `neonps`, one file each."""
