"""Tests that run for minutes, or for as long as they are let: `python -m tests.long`. pytest does not collect them."""
