"""Data for training: readers of real files, windows of series, shuffled order, batches of unequal sequences."""

from lstm_jax.data.baselines import detect_season, fit_linear, naive, seasonal_naive, simple_forecasts
from lstm_jax.data.buckets import Buckets
from lstm_jax.data.examples import Examples
from lstm_jax.data.host_batches import HostBatches
from lstm_jax.data.idx import read_idx
from lstm_jax.data.image_folder import LabelledImages, read_images
from lstm_jax.data.order import epoch_rows, shuffled
from lstm_jax.data.series import Series, generated_series, read_panel, read_series
from lstm_jax.data.split import chronological_split
from lstm_jax.data.table import DataError
from lstm_jax.data.windows import Standardizer, fill_missing, windows

__all__ = [
    "Buckets",
    "DataError",
    "Examples",
    "HostBatches",
    "LabelledImages",
    "Series",
    "Standardizer",
    "chronological_split",
    "detect_season",
    "epoch_rows",
    "fill_missing",
    "fit_linear",
    "generated_series",
    "naive",
    "read_idx",
    "read_images",
    "read_panel",
    "read_series",
    "seasonal_naive",
    "shuffled",
    "simple_forecasts",
    "windows",
]
