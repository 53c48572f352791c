"""The example that a README opens with."""

from __future__ import annotations

from tools.checks.wheels import first_example

README = """\
# infra-x

```sh
pip install infra-x
```

```python
>>> 1 + 1
2

>>> 2 + 2
4
```

```python
>>> 3 + 3
```
"""


def test_the_first_doctest_block() -> None:
    assert first_example(README) == ">>> 1 + 1\n2\n\n>>> 2 + 2\n4\n"


def test_a_readme_without_a_doctest() -> None:
    assert first_example("# infra-x\n\n```python\nimport infra_x\n```\n") is None
