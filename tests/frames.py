"""What a frame of pandas is, to be compared: columns, dtypes, and each value with its class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas
from sqlalchemy import create_engine
from sqlalchemy.engine import Engine

#: pandas says that of every connection that is not SQLAlchemy's.
UNTESTED = "ignore:pandas only supports SQLAlchemy:UserWarning"

#: What an error of the driver comes as through a connection of its own: pandas 2 wraps it, and rolls back.
WRAPPED = pandas.errors.DatabaseError

#: Types, and what is odd about results. Where a statement has parameters it is in a test of its own.
STATEMENTS = {
    "int": "select n, n::int2 as small, n * 10000000000 as big from generate_series(1, 3) n",
    "int with NULL": "select * from (values (1::int4, 1::int8), (null, null), (-5, 6)) t (a, b)",
    "int beyond float": "select * from (values (9007199254740993), (null)) t (a)",
    "bool": "select * from (values (true), (false)) t (a)",
    "bool with NULL": "select * from (values (true), (null), (false)) t (a)",
    "float": "select * from (values (1.5::float4, 0.1::float8), ('NaN', '-inf'), (null, null)) t (a, b)",
    "numeric": "select * from (values (1.10, 1e30), (-0.5, null), (null, 0)) t (a, b)",
    "numeric NaN": "select * from (values (1.5), ('NaN'::numeric), ('Infinity'), (null)) t (a)",
    "numeric digits": "select 123456789012345678901234567890.123456789 as a",
    "text": "select 'x'::text as a, 'y'::varchar as b, 'z'::char(3) as c, 'n'::name as d, '' as e, 'ü€😀' as f",
    "text with NULL": "select * from (values ('a'), (null)) t (a)",
    "date": "select * from (values (date '2024-02-29'), (null), ('0001-01-01'), ('9999-12-31')) t (a)",
    "time": "select * from (values (time '10:11:12.5'), (null)) t (a)",
    "timetz": "select * from (values (timetz '10:11:12+05:30'), (null)) t (a)",
    "timestamp": "select * from (values (timestamp '2024-01-02 03:04:05.678901'), (null), ('0001-01-01')) t (a)",
    "timestamptz": """select * from (values (timestamptz '2024-01-02 03:04:05+02'), (null),
                                            ('2024-07-02 03:04:05.5+02')) t (a)""",
    "interval": "select * from (values (interval '1 day 2.5 seconds'), (null), ('-3 hours'), ('1 mon')) t (a)",
    "json": """select '{"a": [1, 2.5, null]}'::json as a, '[{"b": "c"}]'::jsonb as b, '"d"'::jsonb as c,
                      'null'::jsonb as d""",
    "json with NULL": """select * from (values ('{"a": 1}'::jsonb), (null)) t (a)""",
    "array": "select array[1, 2, null] as a, array['x', null] as b, array[[1.5], [2]] as c, '{}'::int[] as d",
    "array with NULL": "select * from (values (array[1, 2]), (null)) t (a)",
    "uuid": "select * from (values ('b1ffd1f8-0d7c-4b7a-9d54-8f2a1b8d2b3c'::uuid), (null)) t (a)",
    "bytea": r"select * from (values ('\x00ff'::bytea), ('\x'), (null)) t (a)",
    "range, inet": "select int4range(1, 5) as a, inet '1.2.3.4' as b, cidr '10.0.0.0/8' as c",
    "text of other types": "select point '(1,2)' as a, macaddr '08:00:2b:01:02:03' as b, oid '7' as c, bit '101' as d",
    "composite": "select row(1, 'a') as a",
    "NULL only": "select null::int4 as a, null::float8 as b, null::text as c, null::timestamptz as d, null::jsonb as e",
    "no rows": "select 1 as a, 'x' as b, now() as c, 1.5 as d where false",
    "duplicate names": "select 1 as a, 'x' as a, 2.5 as b, now() - now() as a",
    "names without sense": 'select 1, 2 as "Ab c", 3 as "a:b", 4 as "select"',
    "no columns": "select from generate_series(1, 2)",
    "neither rows nor columns": "select",
}


def oracle(dsn: str, **options: Any) -> Engine:
    """SQLAlchemy's engine with psycopg.

    Args:
        dsn: the URL of the server over TCP.
        **options: keywords of psycopg's `connect`.
    """
    return create_engine(dsn.replace("postgresql:", "postgresql+psycopg:", 1), connect_args=options)


def frame_of(frame: pandas.DataFrame) -> Any:
    """All that there is to a frame, as values that can be compared and shown."""
    columns = [(name, str(dtype)) for name, dtype in zip(frame.columns, frame.dtypes, strict=True)]
    index = (list(frame.index.names), str(frame.index.dtype), [_value(each) for each in frame.index])
    values = [[_value(value) for value in frame.iloc[:, number]] for number in range(frame.shape[1])]
    return columns, index, values


def read(con: Any, statement: Any, **options: Any) -> Any:
    """What `pandas.read_sql` gives, or else the class of its exception and what the driver has said."""
    return outcome(lambda: pandas.read_sql(statement, con, **options))


def outcome(action: Callable[[], pandas.DataFrame]) -> Any:
    """The frame that `action` gives, described, or else the class of its exception and what the driver has said."""
    try:
        return frame_of(action())
    except Exception as error:
        # pandas wraps errors of SQLAlchemy, and those wrap errors of the driver.
        wrapped = error.__cause__ if isinstance(error, pandas.errors.DatabaseError) else error
        original = getattr(wrapped, "orig", wrapped)
        return type(original).__name__, str(original)


def _value(value: Any) -> tuple[str, str]:
    # repr alone does not tell numpy's bool from Python's; which driver a class is of does not matter
    return type(value).__qualname__, repr(value)
