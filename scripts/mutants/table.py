"""What a mutant is."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """One mistake."""

    name: str
    file: str
    text: str
    """What is replaced: exactly this, once in the file."""
    replacement: str
    tests: tuple[str, ...]
    """Arguments of pytest; at least one of these tests must fail, all of them pass without the mutant."""

    @property
    def what(self) -> str:
        """The change on one line."""
        return f"{' '.join(self.text.split())}  ->  {' '.join(self.replacement.split())}"

    @property
    def equivalent(self) -> str | None:
        """By hand only what changes something is written down."""
        return None

    def apply(self, source: str) -> str:
        """The file's text with the mistake in it; ValueError where the table no longer fits the file."""
        found = source.count(self.text)
        if found != 1:
            raise ValueError(
                f"{self.name}: the text must occur once in {self.file}, but does {found} times: {self.text!r}"
            )
        return source.replace(self.text, self.replacement)


def of(file: str, *rows: tuple[str, str, str, *tuple[str, ...]]) -> list[Mutant]:
    """Mutants of one file: ``(name, text, replacement, test, ...)`` each."""
    return [Mutant(name, file, text, replacement, tuple(tests)) for name, text, replacement, *tests in rows]
