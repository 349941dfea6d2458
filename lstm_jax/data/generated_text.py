"""A text made up by a small grammar, for when there is no file."""

import numpy as np

_NAMES = ("Ada", "Emil", "Grace", "Kurt", "Mary", "Rosa", "Sofia", "Yusuf")
_NOUNS = ("river", "window", "letter", "garden", "engine", "mountain", "story", "lamp")
_VERBS = ("sees", "finds", "paints", "forgets", "follows", "draws")
_KINDS = ("old", "quiet", "green", "broken", "distant", "small")


def generated_text(sentences: int = 3000, seed: int = 0) -> str:
    """Sentences of a grammar, some with others in brackets or in quotation marks: NumPy's generator of ``seed``.

    Args:
        sentences: how many.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)

    def one(words: tuple[str, ...]) -> str:
        return words[rng.integers(len(words))]

    def thing() -> str:
        return f"the {one(_KINDS)} {one(_NOUNS)}" if rng.random() < 0.5 else f"the {one(_NOUNS)}"

    def sentence(depth: int) -> str:
        said = f"{one(_NAMES)} {one(_VERBS)} {thing()}"
        if depth < 2 and rng.random() < 0.3:
            said += f" ({sentence(depth + 1)})"
        if depth < 1 and rng.random() < 0.25:
            said = f'{one(_NAMES)} says "{said}"'
        return said

    return "".join(f"{sentence(0)}.{chr(10) if rng.random() < 0.2 else ' '}" for _ in range(sentences))
