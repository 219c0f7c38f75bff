"""End to end: every process up, and stand-ins for everything outside."""

import pytest

# So that an assertion made there says what differs.
pytest.register_assert_rewrite("tests.e2e.books")
