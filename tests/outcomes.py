"""What tests of outcomes share: statements, and the type of the fixture `lose`."""

from __future__ import annotations

from collections.abc import Callable

#: The fixture `lose`.
Lose = Callable[..., None]

INSERT = "insert into numbers values (1)"

PROCEDURE = """
    create or replace procedure fill_and_fail(first int, nap float) language plpgsql as $$ begin
        insert into numbers values (first);
        commit;
        insert into numbers values (first + 10);
        perform pg_sleep(nap);
        perform 1 / 0;
    end $$
"""
