from __future__ import annotations

from extensions.reproduction.missing_imports import _imports, find_imports
from tests.text_blobs import TextBlobs

FILES = {
    "src/shop/__init__.py": "from .cart import Cart, total\n",
    "src/shop/cart.py": "import numpy as np\n\n\nclass Cart:\n    '''\n    >>> from shop import Cart\n    '''\n",
    "src/shop/more.py": 3 * "from shop.cart import Cart\n" + "LIMIT = 3\n",
    "tests/test_cart.py": "from shop.cart import (\n    Cart,\n    total as sum_of,  # the sum\n)\n",
    "docs/index.rst": "Start with::\n\n    >>> from shop import *\n",
}


def test_documented_import_is_preferred() -> None:
    assert find_imports(TextBlobs(FILES), ["Cart"]) == {"Cart": "from shop import Cart"}


def test_aliases_are_found() -> None:
    assert find_imports(TextBlobs(FILES), ["np", "sum_of"]) == {
        "np": "import numpy as np",
        "sum_of": "from shop.cart import total as sum_of",
    }


def test_name_that_is_only_defined_is_imported_from_there() -> None:
    assert find_imports(TextBlobs(FILES), ["LIMIT"]) == {"LIMIT": "from shop.more import LIMIT"}


def test_unknown_name_is_left_out() -> None:
    assert find_imports(TextBlobs(FILES), ["unheard_of"]) == {}


def test_reading_of_hostile_file_ends() -> None:
    assert list(_imports(" " * 200_000 + "x\n" + "\t" * 200_000)) == []
