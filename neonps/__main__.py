"""`python -m neonps` is the command `neonps`."""

import sys

from .cli import main

sys.exit(main())
