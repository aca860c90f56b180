"""Tables for the tests of Alembic, before and after a change of the model."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Double,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INET, INT4RANGE, JSONB, TSVECTOR

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


def before() -> MetaData:
    """Types, defaults, indexes, constraints and comments of many kinds."""
    metadata = MetaData(naming_convention=NAMES)
    Table(
        "owner",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("name", String(50), nullable=False, unique=True, comment="As it is written"),
        Column("mood", Enum("calm", "cross", name="mood"), nullable=False, server_default="calm"),
        Column("balance", Numeric(10, 2), nullable=False, server_default=text("0")),
        Column("since", DateTime(timezone=True), nullable=False, server_default=text("now()")),
        Column("token", Uuid, server_default=text("gen_random_uuid()")),
        Column("settings", JSONB, server_default=text("'{}'::jsonb")),
        Column("tags", ARRAY(Text), server_default=text("'{}'::text[]")),
        Column("word", Text, server_default="100%"),
        Column("old", Integer),
        CheckConstraint("balance >= 0", name="not_negative"),
        Index("ix_owner_lower_name", text("lower(name)")),
        Index("ix_owner_settings", "settings", postgresql_using="gin"),
        Index("ix_owner_since_calm", "since", postgresql_where=text("mood = 'calm'")),
        comment="Who has something",
    )
    Table(
        "thing",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("owner_id", ForeignKey("owner.id", ondelete="CASCADE"), nullable=False, index=True),
        Column("weight", Double, server_default="1.5"),
        Column("grams", Integer, Computed("(id * 1000)", persisted=True)),
        Column("picture", LargeBinary),
        Column("age", Interval),
        Column("address", INET),
        Column("span", INT4RANGE),
        Column("search", TSVECTOR),
        Column("seen", Boolean, nullable=False, server_default=text("false")),
        UniqueConstraint("owner_id", "weight"),
    )
    return metadata


def after() -> MetaData:
    """The same after changes of each kind that Alembic finds."""
    metadata = before()
    old = metadata.tables["owner"]
    new = MetaData(naming_convention=NAMES)
    Table(
        "owner",
        new,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("name", String(80), nullable=False, comment="As it is said"),
        Column("mood", Enum("calm", "cross", name="mood"), nullable=True, server_default="cross"),
        Column("balance", Numeric(12, 4), nullable=False, server_default=text("10")),
        Column("since", DateTime(timezone=False), nullable=False, server_default=text("now()")),
        *(each._copy() for each in (old.c.token, old.c.settings, old.c.tags, old.c.word)),
        Column("kind", Enum("person", "firm", name="kind"), server_default="person"),
        CheckConstraint("balance >= 0", name="not_negative"),
        Index("ix_owner_lower_name", text("lower(name)"), unique=True),
        Index("ix_owner_settings", "settings", postgresql_using="gin"),
        Index("ix_owner_mood", "mood"),
        comment="Who owns something",
    )
    metadata.tables["thing"].to_metadata(new)
    new.tables["thing"].c.owner_id.nullable = True
    Table(
        "word",
        new,
        Column("id", Integer, primary_key=True),
        Column("thing_id", ForeignKey("thing.id")),
        Column("text", Text, nullable=False),
    )
    return new
