"""Text from a language model that experiments.language_model has trained, as it comes.

    python -m experiments.generate_text RUN --prompt "ROMEO:" --temperature 0.8 --length 500

RUN is the run folder; a run that still goes on gives what it has learned so far. The same seed gives the same text.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lstm_jax.flags import FlagError, parse

COMMAND = "python -m experiments.generate_text"


@dataclass(frozen=True)
class Config:
    """How text is drawn."""

    prompt: str = ""
    """What it begins with."""
    length: int = 500
    """How many tokens to add."""
    temperature: float = 0.8
    """Below 1 likely tokens become likelier."""
    top_k: int = 0
    """Draw from so many of the likeliest tokens alone; 0: from all."""
    top_p: float = 1.0
    """Draw from the fewest likeliest tokens whose probabilities sum to this (nucleus sampling)."""
    seed: int = 0
    """Of the draws."""


def main(argv: Sequence[str] | None = None) -> None:
    """Print the prompt and what follows it, piece by piece."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help")):
            raise FlagError(f"Which run? Name it first: {COMMAND} runs/language_model/... --prompt TEXT")
        (config,) = parse(Config, flags=words if words[0].startswith("-") else words[1:], command=f"{COMMAND} RUN")
        write(Path(words[0]), config)
    except (FlagError, ValueError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def write(folder: Path, config: Config) -> None:
    """Generate from the run in ``folder``, to standard output."""
    from experiments.language_model import language_model, text_of
    from lstm_jax import load_run
    from lstm_jax.models.generation import generate
    from lstm_jax.train import RunError

    run = load_run(folder)
    if run.experiment.name != "language_model":
        raise RunError(
            f"{folder} holds a run of {run.experiment.name}, which generates no text: give one of language_model."
        )
    tokens = text_of(run.config).tokens
    pieces = generate(
        language_model(run.config, tokens.size),
        run.params,
        tokens,
        tokens.encode(config.prompt),
        length=config.length,
        temperature=config.temperature,
        top_k=config.top_k,
        top_p=config.top_p,
        seed=config.seed,
    )
    if not tokens.encode(config.prompt).all():
        sys.stderr.write("Some of the prompt is not in the model's vocabulary: it reads <unk> there.\n")
    sys.stdout.write(config.prompt)
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
