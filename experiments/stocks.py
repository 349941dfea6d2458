"""Can a recurrent network forecast the next return of a price better than "no change" does?

    python -m experiments.stocks --csv FILE
    python -m experiments.stocks --csv FILE --symbol NAME --column adjclose
    python -m experiments.stocks

A CSV file with dates and prices, of one symbol or of several (a column ``symbol``). Forecast is the next log return,
from all returns before it; the forecast price is the last price times its exponential. Without a file two random walks
are generated, of which nothing can be forecast: the right answer is "not beaten".

Walk-forward: the last 40% of the rows are tested in ``folds`` equal stretches. For each of them a network is trained
from scratch on all rows before it, with the scale of these rows. How many steps are taken is chosen once, by one more
network, on rows that end where the first stretch begins. All of them are trained at once, one beside the other, and
share no number: what comes later changes no forecast (a test changes it and looks).

Model: one recurrent layer, a dense layer at every step.

Beside it: the last value (a return of 0), the drift (the mean return of the training rows) and, for the direction, the
one that was more frequent in the training rows. Intervals hold 95%, by block bootstrap. Only where the whole interval
of the difference is above 0 is a baseline said to be beaten; ``verdict.txt`` says it in words. A network that beats
the last value clearly is a reason to look for a leak first. The run folder gets ``predictions.csv`` and
``plots/walk_forward.png``, too.

Papers: Meese & Rogoff (1983), "Empirical exchange rate models of the seventies" (no model beats the last value); Goyal
& Welch (2008), "A Comprehensive Look at the Empirical Performance of Equity Premium Prediction" (the picture).

Measured on public files, beside what is published: docs/applications.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.cells import LSTM, AnyCell
from lstm_jax.cli import run_experiment
from lstm_jax.data.fingerprint import fingerprint
from lstm_jax.data.prices import generated_prices, read_prices
from lstm_jax.data.walk_forward import Folds
from lstm_jax.metrics.direction import right_direction, walk_forward_scores
from lstm_jax.models import SequenceTagger
from lstm_jax.models.losses import MSE
from lstm_jax.options import of_a_file, positive
from lstm_jax.report.walk_forward import draw_walk_forward, verdict, write_walk_forward
from lstm_jax.train import Experiment, Optimizer


@dataclass(frozen=True)
class Config:
    """A forecast of the next return."""

    csv: str = ""
    """The file of dates and prices; empty: two generated random walks."""
    column: str = ""
    """The column of prices; empty: price, adjclose or close."""
    time: str = "date"
    """The column of dates."""
    symbol: str = ""
    """The only symbol; empty: all of them, with one network."""
    folds: int = 5
    """Stretches that are tested, each by a network of its own."""
    context: int = 32
    """Rows of a training window."""
    cell: AnyCell = LSTM(16)
    """The recurrent layer."""
    optimizer: Optimizer = Optimizer(learning_rate=1e-3, clip_norm=None)
    """Without clipping: a common norm would let later rows into the networks of earlier ones."""
    batch_size: int = 32
    """Windows in a training step, of each network."""
    steps: int = 2000
    """Optimiser steps at most."""
    patience: int = 10
    """Validations, 50 steps apart, without a better score that end the training."""


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    for setting in ("folds", "context", "batch_size", "steps", "patience"):
        positive(setting, getattr(config, setting))
    of_a_file(config, "csv", "column", "symbol", "time")
    if config.optimizer.clip_norm is not None:
        raise ValueError("optimizer.clip_norm must be None: a common norm would let later rows into earlier networks.")
    prices = read_prices(config.csv, config.column, config.symbol, config.time) if config.csv else generated_prices()
    folds = Folds.of(prices.log_returns, config.folds)
    lengths = folds.tested_until - folds.known_until
    if folds.known_until[0] <= config.context or lengths.min() < 2:
        raise ValueError(
            f"{config.csv or 'The generated series'} has {len(prices.dates)} dates: too few for a context of "
            f"{config.context} and {config.folds} folds; give more, or a smaller --context or --folds."
        )
    truth = folds.returns[folds.known_until[1] :]
    if not np.nan_to_num(truth).any():
        raise ValueError(
            f"{config.csv} has no price that changes among the last {len(truth)} dates, which test: there is no "
            "direction to be right about; give prices that move."
        )
    model = SequenceTagger((config.cell,))
    mean, std = jnp.asarray(folds.mean, jnp.float32), jnp.asarray(folds.std, jnp.float32)
    returns = jnp.asarray(folds.returns, jnp.float32)
    scaled = (returns - mean[:, None]) / std[:, None]  # [K + 1, N, S]: of each network in its own units
    networks, symbols = mean.shape

    def init(key: jax.Array) -> Any:
        return jax.vmap(lambda key: model.init(key, jnp.zeros((1, 1, 1))))(jax.random.split(key, networks))

    def answers(params: Any, xs: jax.Array) -> jax.Array:
        """What each network forecasts behind each step: ``[K + 1, T, B]`` for ``[K + 1, T, B]``."""
        seen = jnp.nan_to_num(xs, nan=0.0)[..., None]
        said: Any = jax.vmap(model.apply)(params, seen)
        return said[..., 0]

    def batch(key: jax.Array, step: jax.Array) -> jax.Array:
        where, whose = jax.random.split(jax.random.fold_in(key, step))
        # The same places for all networks, as shares of the windows that each of them has.
        share = jax.random.uniform(where, (config.batch_size,))
        windows = jnp.asarray(folds.known_until - config.context)
        first = jnp.minimum((share * windows[:, None]).astype(jnp.int32), windows[:, None] - 1)
        at = first[:, None, :] + jnp.arange(config.context + 1)[:, None]
        whose = jax.random.randint(whose, (config.batch_size,), 0, symbols)
        return scaled[jnp.arange(networks)[:, None, None], at, whose]

    def loss(params: Any, batch: jax.Array, key: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        means = jax.vmap(MSE.mean)(answers(params, batch[:, :-1]), batch[:, 1:])
        # The sum: a network's gradient does not depend on how many there are.
        return means.sum(), {"mse": means[0]}

    def evaluate(params: Any, key: jax.Array) -> dict[str, jax.Array]:
        start, stop = int(folds.known_until[0]), int(folds.tested_until[0])
        one = jax.tree.map(lambda leaf: leaf[:1], params)
        said = answers(one, scaled[:1, : stop - 1])
        return {"mse": MSE.mean(said[:, start - 1 :], scaled[:1, start:stop])}

    @jax.jit
    def all_rows(params: Any) -> jax.Array:
        said = answers(params, scaled[:, :-1])
        return jnp.pad(said, ((0, 0), (1, 0), (0, 0))) * std[:, None] + mean[:, None]

    def forecasts(params: Any) -> dict[str, np.ndarray]:
        """Returns of the tested rows ``[M, S]``, by name."""
        repeated = np.broadcast_to(folds.mean[:, None], (networks, *folds.returns.shape))
        model_says = folds.by_row(np.asarray(all_rows(params), np.float64))
        return {"forecast": model_says, "last_value": np.zeros_like(truth), "drift": folds.by_row(repeated)}

    def test(params: Any, key: jax.Array) -> dict[str, jax.Array]:
        said = all_rows(params)
        stretches = [said[k, folds.known_until[k] : folds.tested_until[k]] for k in range(1, networks)]
        return {"rmse_return": jnp.sqrt(MSE.mean(jnp.concatenate(stretches), jnp.asarray(truth, jnp.float32)))}

    majority = folds.by_row(np.broadcast_to(folds.up[:, None], (networks, *folds.returns.shape)))

    def scores(params: Any) -> Mapping[str, float]:
        return walk_forward_scores(prices.values, truth, forecasts(params), majority)

    def report(params: Any, folder: Path) -> None:
        found, said = scores(params), forecasts(params)
        sentence = verdict(found)
        (folder / "verdict.txt").write_text(sentence + "\n", encoding="utf-8")
        print(sentence)
        write_walk_forward(folder / "predictions.csv", prices, said)
        gained = np.nansum((truth - said["last_value"]) ** 2 - (truth - said["forecast"]) ** 2, axis=1)
        hits = {"network": right_direction(said["forecast"], truth), "majority": right_direction(majority, truth)}
        ends = folds.tested_until[1:] - folds.known_until[1]
        draw_walk_forward(
            folder / "plots" / "walk_forward.png", prices.dates[-len(truth) :], gained, hits, ends, sentence
        )

    missing = int(np.isnan(prices.values).sum())
    return Experiment(
        name="stocks",
        init=init,
        batch=batch,
        loss=loss,
        evaluate=evaluate,
        test=test,
        scores_on_host=scores,
        optimizer=config.optimizer,
        steps=config.steps,
        batch_size=config.batch_size,
        metric="mse",
        patience=config.patience,
        report=report,
        notes=(f"{missing} prices are missing: their returns are neither forecast nor scored.",) if missing else (),
        fingerprint=fingerprint(prices.dates, prices.values),
        config=config,
    )


if __name__ == "__main__":
    run_experiment(Config, build, name="stocks")
