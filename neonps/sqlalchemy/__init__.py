"""SQLAlchemy's dialect for neonps: `postgresql+neonps://`, for `create_engine()` and `create_async_engine()`.

SQLAlchemy finds it by the entry points of the package; nothing has to be imported. See docs/howto/sqlalchemy.md.
"""

from .dialect import NeonpsDialect
from .dialect_async import NeonpsDialectAsync

__all__ = ["NeonpsDialect", "NeonpsDialectAsync"]
