"""The tables of the SQLAlchemy programs, and a way to print rows."""

import datetime
import decimal
import enum
import os
import uuid

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Computed,
    Date,
    DateTime,
    Double,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Table,
    Text,
    Time,
    UniqueConstraint,
    Uuid,
    func,
    make_url,
)
from sqlalchemy.dialects.postgresql import (
    ARRAY,
    CIDR,
    DATEMULTIRANGE,
    INET,
    INT4MULTIRANGE,
    INT4RANGE,
    JSONB,
    NUMRANGE,
    TSTZRANGE,
    ExcludeConstraint,
    Range,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

URL = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg")
UTC = datetime.timezone.utc


class Base(DeclarativeBase):
    pass


class Color(enum.Enum):
    RED = "red"
    DARK_GREEN = "dark green"


membership = Table(
    "membership",
    Base.metadata,
    Column("author_id", ForeignKey("author.id", ondelete="CASCADE"), primary_key=True),
    Column("club_id", ForeignKey("club.id"), primary_key=True),
)


class Author(Base):
    __tablename__ = "author"

    id: Mapped[int] = mapped_column(Identity(start=10), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    born: Mapped[datetime.date | None]
    books: Mapped[list["Book"]] = relationship(
        back_populates="author", cascade="all, delete-orphan", order_by="Book.id"
    )
    clubs: Mapped[list["Club"]] = relationship(secondary=membership, order_by="Club.name")


class Book(Base):
    __tablename__ = "book"
    __table_args__ = (
        UniqueConstraint("author_id", "title"),
        Index("book_title_lower", func.lower("title")),
        {"comment": "what was written"},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    price: Mapped[decimal.Decimal | None] = mapped_column(Numeric(8, 2))
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author] = relationship(back_populates="books")


class Club(Base):
    __tablename__ = "club"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Everything(Base):
    """A column of each type."""

    __tablename__ = "everything"
    __table_args__ = (ExcludeConstraint(("int_range", "&&"), name="no_overlap", using="gist"),)

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, server_default=func.gen_random_uuid())
    big: Mapped[int] = mapped_column(BigInteger)
    twice: Mapped[int] = mapped_column(BigInteger, Computed("big * 2", persisted=True))
    ratio: Mapped[float] = mapped_column(Double)
    price: Mapped[decimal.Decimal] = mapped_column(Numeric(12, 4))
    flag: Mapped[bool]
    text: Mapped[str] = mapped_column(Text)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    color: Mapped[Color] = mapped_column(Enum(Color))
    plain_json = mapped_column(JSON)
    binary_json = mapped_column(JSONB)
    words = mapped_column(ARRAY(Text))
    matrix = mapped_column(ARRAY(BigInteger, dimensions=2))
    colors = mapped_column(ARRAY(Enum(Color)))
    uuids = mapped_column(ARRAY(Uuid))
    day: Mapped[datetime.date] = mapped_column(Date)
    hour: Mapped[datetime.time] = mapped_column(Time)
    naive: Mapped[datetime.datetime] = mapped_column(DateTime)
    aware: Mapped[datetime.datetime] = mapped_column(DateTime(timezone=True))
    span: Mapped[datetime.timedelta] = mapped_column(Interval)
    address = mapped_column(INET)
    network = mapped_column(CIDR)
    int_range = mapped_column(INT4RANGE)
    num_range = mapped_column(NUMRANGE)
    time_range = mapped_column(TSTZRANGE)
    int_ranges = mapped_column(INT4MULTIRANGE)
    day_ranges = mapped_column(DATEMULTIRANGE)


def everything(number: int) -> Everything:
    """A row with a value of each type."""
    at = datetime.datetime(2024, 2, 29, 13, 5, 7, 123456)
    return Everything(
        id=uuid.UUID(int=number),
        big=2**40 + number,
        ratio=0.1 * number,
        price=decimal.Decimal("12345678.9012"),
        flag=number % 2 == 0,
        text="% %s %(x)s :x 'quoted' \\ \N{SNOWMAN}",
        data=bytes(range(256)),
        color=Color.DARK_GREEN,
        plain_json={"a": [1, 2.5, None, "x"], "n": number},
        binary_json={"b": {"c": [True, {"d": "\N{GREEK SMALL LETTER ALPHA}"}]}},
        words=["one", None, 'with "quotes", and {braces}', ""],
        matrix=[[1, 2], [3, number]],
        colors=[Color.RED, Color.DARK_GREEN],
        uuids=[uuid.UUID(int=1), uuid.UUID(int=2)],
        day=at.date(),
        hour=at.time(),
        naive=at,
        aware=at.replace(tzinfo=UTC),
        span=datetime.timedelta(days=-3, hours=5, microseconds=7),
        address="192.168.0.7",
        network="10.0.0.0/8",
        int_range=Range(number * 10, number * 10 + 5),
        num_range=Range(decimal.Decimal("1.5"), None, bounds="()"),
        time_range=Range(at.replace(tzinfo=UTC), at.replace(tzinfo=UTC, month=3), bounds="[]"),
        int_ranges=[Range(1, 3), Range(5, 7)],
        day_ranges=[Range(datetime.date(2024, 1, 1), datetime.date(2024, 2, 1))],
    )


def show(row: Everything) -> None:
    """Print all that is in a row, with the types."""
    for column in Everything.__table__.columns:
        value = getattr(row, column.key)
        if isinstance(value, datetime.datetime) and value.tzinfo is not None:
            value = value.astimezone(UTC)
        print(f"  {column.key}: {type(value).__name__} {value!r}")
