"""The version of psycopg whose API this is: what programs are told that ask for `psycopg.__version__`."""

__version__ = "3.3.9"
