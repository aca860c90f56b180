"""neonps under the name of psycopg: what `import psycopg` gives, before and after, each time in a Python of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import psycopg
import psycopg.types
import pytest

ROOT = Path(__file__).parent.parent

#: Python then runs as if psycopg was not installed.
WITHOUT_PSYCOPG = """
    import sys

    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in ("psycopg", "psycopg_binary", "psycopg_c"):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Blocked())
"""
INSTALLED = """
    import neonps
    neonps.install_as_psycopg()
"""


def check(*parts: str) -> None:
    """Run a program that consists of these parts, and raise what it raises."""
    program = "".join(map(dedent, parts))
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""


def modules() -> list[str]:
    """psycopg's modules that its documentation speaks of, and those in the place of which one of neonps is known."""
    types = ["array", "bool", "composite", "datetime", "enum", "hstore", "json", "multirange", "net", "none"]
    types += ["numeric", "numpy", "range", "string", "uuid"]
    names = ["abc", "adapt", "conninfo", "copy", "errors", "postgres", "pq", "rows", "sql", "transaction", "types"]
    names += ["client_cursor", "connection", "connection_async", "cursor", "cursor_async", "raw_cursor"]
    return names + [f"types.{name}" for name in types]


@pytest.mark.parametrize("before", ["", WITHOUT_PSYCOPG], ids=["beside psycopg", "without psycopg"])
def test_everything_below_psycopg_is_neonps(before: str) -> None:
    check(
        before,
        INSTALLED,
        f"names = {modules()!r}",
        """
        from importlib import import_module

        for name in names:
            module = import_module(f"psycopg.{name}")
            assert module is import_module(f"neonps.{name}"), name
            assert module.__name__ == module.__spec__.name == f"neonps.{name}", name
            assert module.__package__ == "neonps" or module.__package__.startswith("neonps."), name
        import psycopg
        import psycopg.types.json
        from psycopg import errors as e, sql
        from psycopg.types.range import Range
        assert sql is neonps.sql is psycopg.sql
        assert psycopg.Connection is neonps.Connection
        assert e.UniqueViolation is neonps.errors.UniqueViolation
        assert Range is neonps.types.range.Range
        assert psycopg.adapters is neonps.adapters
        """,
    )


@pytest.mark.parametrize("name", ["client_cursor", "dbapi20", "types", "version"])
def test_attributes_that_nobody_has_imported(name: str) -> None:
    assert hasattr(psycopg, name)
    check(INSTALLED, f"import psycopg\nassert psycopg.{name} is not None")


def test_types_that_nobody_has_imported() -> None:
    names = [name for name, value in vars(psycopg.types).items() if name.islower() and not name.startswith("_")]
    assert "json" in names
    check(INSTALLED, "import psycopg\n", *[f"psycopg.types.{name}\n" for name in names])


def test_names() -> None:
    check(
        INSTALLED,
        f"names = {psycopg.__all__!r}\n",
        """
        import psycopg
        assert set(names) <= set(vars(psycopg))  # SQLAlchemy goes through them
        assert set(names) <= set(psycopg.__all__)
        from psycopg import *
        assert Connection is neonps.Connection
        """,
    )


def test_the_version_is_psycopgs() -> None:
    check(
        INSTALLED,
        """
        import psycopg, psycopg.version
        from neonps.version import __version__
        assert neonps.__version__ == __version__ != psycopg.__version__
        assert psycopg.__version__ == psycopg.version.__version__
        assert psycopg.__version__.startswith("3.")
        assert psycopg.__name__ == psycopg.__spec__.name == psycopg.__package__ == "psycopg"
        """,
    )


def test_what_does_not_exist() -> None:
    check(
        INSTALLED,
        """
        import importlib, importlib.util
        import psycopg

        for name in ("psycopg.nothing", "psycopg.types.nothing", "psycopg.sql.nothing", "psycopg.nothing.at_all"):
            try:
                importlib.import_module(name)
            except ModuleNotFoundError as error:
                assert name.startswith(error.name), error
                assert error.name.startswith("psycopg."), error
            else:
                raise AssertionError(name)
        assert importlib.util.find_spec("psycopg.nothing") is None
        assert importlib.util.find_spec("psycopg") is psycopg.__spec__
        assert not hasattr(psycopg, "nothing")
        try:
            from psycopg import nothing
        except ImportError as error:
            assert str(error).startswith("cannot import name 'nothing' from 'psycopg'"), error
        else:
            raise AssertionError
        """,
    )


def test_psycopg2_is_another_matter() -> None:
    check(
        INSTALLED,
        """
        import importlib.util
        import sys
        sys.path.insert(0, ".")
        assert importlib.util.find_spec("psycopg2") is None
        assert importlib.util.find_spec("psycopgs") is None
        """,
    )


def test_nothing_happens_before_it_is_asked_for() -> None:
    check(
        """
        import neonps, psycopg
        assert psycopg.Connection is not neonps.Connection
        assert psycopg.__version__ != neonps.__version__
        assert "neonps" not in psycopg.__file__
        """
    )


def test_it_can_be_asked_for_again() -> None:
    check(
        INSTALLED,
        """
        import sys
        import psycopg
        finders = list(sys.meta_path)
        neonps.install_as_psycopg()
        import psycopg as again
        assert sys.meta_path == finders
        assert again is psycopg
        """,
    )


def test_psycopg_that_was_imported_is_replaced() -> None:
    check(
        """
        import warnings
        import psycopg, psycopg.sql, psycopg_pool
        import neonps

        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            neonps.install_as_psycopg()
        assert [(item.category, item.filename) for item in told] == [(RuntimeWarning, "<string>")], told
        assert "imported already" in str(told[0].message)
        import psycopg as now, psycopg_pool as pool_now
        from psycopg.sql import SQL
        assert now is not psycopg
        assert now.Connection is neonps.Connection
        assert SQL is neonps.sql.SQL is not psycopg.sql.SQL
        assert pool_now is not psycopg_pool
        assert issubclass(pool_now.PoolTimeout, neonps.OperationalError)
        """
    )


def test_a_warning_that_is_an_error_leaves_all_as_it_was() -> None:
    check(
        """
        import psycopg
        import neonps

        try:
            neonps.install_as_psycopg()
        except RuntimeWarning:
            pass
        else:
            raise AssertionError
        import psycopg as now, psycopg.rows
        assert now is psycopg
        assert psycopg.rows.dict_row is not neonps.rows.dict_row
        """
    )


def test_modules_are_not_loaded_twice() -> None:
    check(
        INSTALLED,
        """
        import importlib
        import psycopg.adapt, psycopg.types.binary, psycopg._adapters_map, psycopg._column
        import neonps.types.binary, neonps.adapters_map
        assert psycopg.types.binary is neonps.types.binary
        assert psycopg._adapters_map is neonps.adapters_map
        assert psycopg._column.Column is psycopg.Column
        assert importlib.reload(psycopg.types.binary) is neonps.types.binary
        assert importlib.reload(psycopg).__version__ == psycopg.__version__
        """,
    )


NAMES = """
    names = []
    for owner, these in [
        ("", ["Connection", "AsyncCursor", "OperationalError", "Transaction", "IsolationLevel"]),
        (".errors", ["UniqueViolation", "Error", "AdminShutdown"]),
        (".sql", ["SQL", "Identifier", "Composed"]),
        (".types.json", ["Json", "Jsonb"]),
        (".types.range", ["Range", "RangeDumper", "TimestamptzRange"]),
        (".types.multirange", ["Multirange", "Int4Multirange"]),
    ]:
        module = import_module(f"psycopg{owner}")
        names += [getattr(module, name).__module__ for name in these]
"""


def test_classes_say_that_they_are_psycopgs() -> None:
    found: dict[str, list[str]] = {}
    exec("from importlib import import_module\n" + dedent(NAMES), found)
    check(
        INSTALLED,
        "from importlib import import_module\n",
        NAMES,
        f"""
    assert names == {found["names"]!r}, names
    assert repr(import_module("psycopg.sql").SQL) == "<class 'psycopg.sql.SQL'>"
    """,
    )


def test_values_are_dumped_in_spite_of_the_names_of_their_classes() -> None:
    check(
        INSTALLED,
        """
        import psycopg
        from psycopg.adapt import PyFormat, Transformer
        from psycopg.types.json import Json, Jsonb
        from psycopg.types.multirange import Int4Multirange, Multirange
        from psycopg.types.numeric import Float4, Int4
        from psycopg.types.range import Int4Range, Range

        values = [Json(1), Jsonb(1), Range(1, 2), Int4Range(1, 2), Multirange([]), Int4Multirange([])]
        for value in [*values, Int4(1), Float4(1), psycopg.Binary(b"x")]:
            for format in PyFormat:
                assert Transformer().get_dumper(value, format).dump(value)
        """,
    )


def test_pickles() -> None:
    check(
        INSTALLED,
        """
        import pickle
        import psycopg
        from psycopg.errors import UniqueViolation
        from psycopg.types.range import Range
        error = pickle.loads(pickle.dumps(UniqueViolation("no")))
        assert type(error) is UniqueViolation
        assert pickle.loads(pickle.dumps(Range(1, 2))) == Range(1, 2)
        assert pickle.loads(pickle.dumps(psycopg.IsolationLevel.SERIALIZABLE)) is psycopg.IsolationLevel.SERIALIZABLE
        """,
    )


def test_threads_that_import_at_once() -> None:
    check(
        INSTALLED,
        f"names = {modules()!r}\n",
        """
        import sys
        import threading
        from concurrent.futures import ThreadPoolExecutor
        from importlib import import_module

        sys.setswitchinterval(1e-6)
        start = threading.Barrier(8)

        def load(reverse):
            start.wait()
            neonps.install_as_psycopg()
            return [import_module(f"psycopg.{name}") for name in sorted(names, reverse=reverse)]

        with ThreadPoolExecutor(8) as pool:
            loaded = list(pool.map(load, [False, True] * 4))
        for modules in loaded:
            for module in modules:
                assert sys.modules[module.__spec__.name] is module, module
                assert module.__spec__.name.startswith("neonps."), module
        """,
    )


def test_importing_at_once_by_statements() -> None:
    check(
        WITHOUT_PSYCOPG,
        """
        import sys
        import threading
        import neonps

        neonps.install_as_psycopg()
        sys.setswitchinterval(1e-6)
        failed = []

        def run():
            try:
                from psycopg.types.json import Jsonb
                from psycopg.types.multirange import Multirange
                from psycopg import client_cursor
                import psycopg.types.numpy
                client_cursor.ClientCursor, psycopg.types.numpy
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=run) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed, failed
        """,
    )
