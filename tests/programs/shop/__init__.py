"""An app with a field of each kind."""
