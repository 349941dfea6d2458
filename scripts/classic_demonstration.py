"""The classic first LSTM: 100 numbers in, each plus one out; what follows? Beside Keras, with the same settings.

python scripts/classic_demonstration.py            with the extra peers
"""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("KERAS_BACKEND", "torch")

SEEDS = range(5)
X, Y, ASKED = np.arange(100.0).reshape(100, 1, 1), np.arange(1.0, 101.0), np.array([[[100.0]]])


def ours(seed: int) -> float:
    """The answer for 100."""
    import lstm_jax
    from lstm_jax import LSTM
    from lstm_jax.models import SequenceRegressor

    model = SequenceRegressor(cells=(LSTM(50, activation="relu"),), outputs=1)
    fitted = lstm_jax.fit(model, X, Y, loss="mse", epochs=300, seed=seed)
    return float(lstm_jax.predict(fitted, ASKED)[0, 0])


def keras(seed: int) -> float:
    """The same with Keras."""
    keras: Any = importlib.import_module("keras")  # extra peers: the types are checked without it
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Input((1, 1)), keras.layers.LSTM(50, activation="relu"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(optimizer="adam", loss="mse")
    model.fit(X, Y, epochs=300, verbose=0)
    return float(model.predict(ASKED, verbose=0)[0, 0])


if __name__ == "__main__":
    print("| seed | " + " | ".join(map(str, SEEDS)) + " |\n|---|" + "---|" * len(SEEDS))
    for name, answer in (("lstm_jax", ours), ("Keras", keras)):
        print(f"| {name} | " + " | ".join(f"{abs(answer(seed) - 101):.3f}" for seed in SEEDS) + " |", flush=True)
