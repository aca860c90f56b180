"""Which statements can commit, and when."""

from __future__ import annotations

import pytest

from neonps.flows.stake import commits_at_once, commits_midway, leaves_transaction, may_commit


@pytest.mark.parametrize(
    ("statement", "can"),
    [
        ("commit", True),
        ("COMMIT AND CHAIN", True),
        ("-- at last\nend", True),
        ("prepare transaction 'x'", True),
        ("insert into t values (1);commit", True),
        ("rollback; insert into t values (1)", True),
        ("select 1; select case when true then 1 end", True),  # nobody looks so closely
        ("", False),
        ("select case when true then 1 end;", False),
        ("insert into t values ('commit')", False),
        ("insert into t values (1); insert into t values ('; commit;')", False),
        ("rollback", False),
        (r"select '\''; commit; select '\''", True),  # with standard_conforming_strings off
        (r"select '\''; select '\''", False),
        (r"select 'commit\n'", False),
    ],
)
def test_what_can_commit(statement: str, can: bool) -> None:
    assert may_commit(statement) is can


@pytest.mark.parametrize(
    ("statement", "can"),
    [
        ("call p()", True),
        ("do $$ begin commit; end $$", True),
        ("do $$ begin perform 1; end $$", False),
        ("vacuum t", True),
        ("create index concurrently on t (a)", True),
        ("create index on t (a)", False),
        ("insert into t values ('call')", False),
    ],
)
def test_what_can_commit_midway(statement: str, can: bool) -> None:
    assert commits_midway(statement) is can


@pytest.mark.parametrize(
    ("statement", "does"),
    [
        ("rollback", True),
        ("commit and chain", True),
        ("rollback to savepoint x", False),
        ("rollback work to x", False),
        ("insert into t values (1)", False),
        ("", False),
    ],
)
def test_what_leaves_a_transaction(statement: str, does: bool) -> None:
    assert leaves_transaction(statement) is does


@pytest.mark.parametrize(
    ("statement", "does"),
    [
        ("create database x", True),
        ("alter system set work_mem = 1", True),
        ("drop subscription s", True),
        ("alter table t detach partition p concurrently", True),
        ("create table t (database int)", False),
    ],
)
def test_what_commits_at_once(statement: str, does: bool) -> None:
    assert commits_at_once(statement) is does
