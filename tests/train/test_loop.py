"""The training loop without a folder: what it computes, when it stops, what it compiles."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lstm_jax import LSTM, unroll
from lstm_jax.data import Buckets, Examples
from lstm_jax.train import NonFiniteError, Optimizer, RunError, train
from lstm_jax.train.state import programs
from tests.train.tiny import FEATURES, Config, Counter, experiment, losses


def test_equals_a_plain_loop():
    tiny = experiment(Config(steps=11), evaluate_every=6, steps_per_call=4)
    result = train(tiny, seed=3, quiet=True)

    root = jax.random.key(3)
    init_key, key, validation_key, test_key = (jax.random.fold_in(root, stream) for stream in range(4))
    params, optimizer = tiny.init(init_key), optax.adam(tiny.optimizer.learning_rate)
    opt_state = optimizer.init(params)
    expected, validations = [], []
    for step in range(11):
        batch = tiny.batch(jax.random.fold_in(key, 0), jnp.int32(step))
        loss_key = jax.random.fold_in(jax.random.fold_in(key, 1), step)
        (value, _), grads = jax.value_and_grad(tiny.loss, has_aux=True)(params, batch, loss_key)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        params = optax.apply_updates(params, updates)
        expected.append(float(value))
        if step + 1 in {6, 11}:
            validations.append(float(tiny.evaluate(params, validation_key)["mse"]))

    np.testing.assert_allclose([loss for _, loss, _ in losses(result.history)], expected, rtol=1e-4)
    told = [(r["step"], r["mse"]) for r in result.history if r["split"] == "validation"]
    assert [step for step, _ in told] == [6, 11]
    np.testing.assert_allclose([mse for _, mse in told], validations, rtol=1e-4)
    np.testing.assert_allclose(result.metrics["mse"], tiny.evaluate(params, test_key)["mse"], rtol=1e-4)
    assert (result.steps, result.sequences, result.workdir) == (11, 44, None)
    assert not result.solved


def test_stops_at_the_validation_that_says_so_and_keeps_its_parameters():
    seen = []

    def stop(metrics):
        seen.append(metrics["mse"])
        return len(seen) == 2

    stopped = train(experiment(stop=stop), quiet=True)
    assert stopped.steps == 20
    # One more call was under way when it was read: nothing of it may be left.
    assert stopped.history[-1]["step"] == 20
    whole = train(experiment(Config(steps=20)), quiet=True)
    np.testing.assert_array_equal(stopped.params["w"], whole.params["w"])
    assert stopped.metrics == whole.metrics


def test_solved_stops_and_is_judged_on_the_test_data():
    result = train(experiment(solved=lambda metrics: metrics["mse"] < 1.0), quiet=True)
    validations = [r["mse"] for r in result.history if r["split"] == "validation"]
    assert result.solved
    assert result.steps < 40
    assert validations[-1] < 1 <= min(validations[:-1], default=9)
    assert validations[-1] != result.metrics["mse"]


def _scores(*values):
    """An evaluation whose score is each of ``values`` in turn, whatever the parameters are."""
    table = jnp.asarray(values)

    def evaluate(params, key):
        del key
        return {"mse": table[params["calls"].astype(jnp.int32) // 10 - 1] + 0 * params["w"][0]}

    def init(key):
        return {"w": jnp.ones(3), "calls": jnp.zeros(())}

    def loss(params, batch, key):
        del batch, key
        return 0.5 * jnp.sum(params["w"] ** 2) - params["calls"], {}

    return {"evaluate": evaluate, "init": init, "loss": loss, "test": lambda params, key: {"mse": params["calls"]}}


def _counting(**settings):
    """The tiny experiment, whose parameter ``calls`` counts its steps."""
    optimizer = Optimizer("sgd", learning_rate=1.0, clip_norm=None)
    return experiment(optimizer=optimizer, **settings)


def test_what_met_the_rule_is_tested_not_an_earlier_one_with_the_same_metric():
    def evaluate(params, key):
        return {"accuracy": jnp.float32(1), "left": jnp.sum((params["w"] - 1) ** 2)}

    found = experiment(evaluate=evaluate, metric="accuracy", goal="max", stop=lambda scores: scores["left"] < 0.5)
    result = train(found, quiet=True)
    assert result.stopped and 10 < result.best_step == result.steps
    assert result.metrics["left"] < 0.5


def test_the_best_validated_parameters_are_tested_and_returned():
    result = train(_counting(**_scores(5, 3, 4, 3)), quiet=True)
    assert (result.steps, result.best_step, float(result.params["calls"])) == (40, 20, 20)
    assert result.metrics == {"mse": 20}
    highest = train(_counting(goal="max", **_scores(5, 3, 9, 3)), quiet=True)
    assert (highest.best_step, float(highest.params["calls"])) == (30, 30)


def test_a_score_that_is_no_number_is_never_the_best():
    assert train(_counting(**_scores(jnp.nan, 3, jnp.nan, 4)), quiet=True).best_step == 20


@pytest.mark.parametrize(("patience", "steps"), [(1, 30), (2, 40), (None, 40)])
def test_patience_ends_the_training(tmp_path, patience, steps):
    tiny = _counting(patience=patience, **_scores(5, 3, 4, 3))
    result = train(tiny, workdir=tmp_path, quiet=True)
    assert (result.steps, result.best_step) == (steps, 20)
    # Also for a run that was killed between the last checkpoint and its result.
    (tmp_path / "result.json").unlink()
    again = train(tiny, workdir=tmp_path, quiet=True)
    assert (again.steps, again.best_step, again.history) == (result.steps, 20, result.history)


def test_the_report_gets_the_best_parameters_and_the_folder(tmp_path):
    seen = []
    train(
        _counting(report=lambda params, folder: seen.append((float(params["calls"]), folder)), **_scores(5, 3, 4, 3)),
        workdir=tmp_path,
        quiet=True,
    )
    assert seen == [(20, tmp_path)]


def test_sequences_in_buckets_compile_a_branch_each():
    rng, traces = np.random.default_rng(0), []
    sequences = [rng.normal(size=(steps, 3)) for steps in rng.integers(1, 30, size=50)]
    targets = np.array([sequence.sum() for sequence in sequences])
    buckets = Buckets.of(Examples.of(sequences, targets), batch_size=8, count=3)

    def loss(params, batch, key):
        traces.append(batch["xs"].shape)
        error = jnp.einsum("tbd,d->b", batch["xs"], params["w"]) - batch["targets"]
        return jnp.sum(batch["weights"] * error**2) / batch["weights"].sum(), {"rows": batch["weights"].sum()}

    epochs = 12
    tiny = experiment(Config(steps=epochs * buckets.steps_per_epoch), batch=buckets, loss=loss)
    result = train(tiny, quiet=True)
    assert len(traces) == len(set(traces)) == 3
    assert sum(record["rows"] for record in result.history if record["split"] == "train") == epochs * len(sequences)
    assert result.history[-2]["loss"] < 0.5 * result.history[0]["loss"]


def test_arrays_in_memory_are_no_constants_of_the_program():
    table = jnp.asarray(np.random.default_rng(0).normal(size=(100_000, 3)), jnp.float32)

    def batch(key, step):
        rows = jax.random.randint(jax.random.fold_in(key, step), (4,), 0, len(table))
        return table[rows], table[rows].sum(axis=-1)

    tiny = experiment(batch=batch)
    state = programs(tiny).init(programs(tiny).keys(np.int32(0)))
    text = programs(tiny).advance.compile(state, tiny.optimizer.numbers, np.int32(1)).text()
    assert len(text) < 200_000
    assert train(tiny, quiet=True).steps == 40


def test_seed_and_learning_rate_compile_nothing():
    counter, compilations = Counter(), []

    def listen(event, duration_secs, **_):
        del duration_secs
        if "backend_compile" in event:
            compilations.append(event)

    tiny = experiment(Config(steps=4), counter)
    train(tiny, quiet=True)
    assert counter.traces == 1
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        results = [
            train(tiny, seed=1, quiet=True),
            train(dataclasses.replace(tiny, optimizer=Optimizer(learning_rate=0.5, clip_norm=None)), quiet=True),
            train(dataclasses.replace(tiny, steps=7), quiet=True),
        ]
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert counter.traces == 1
    assert not compilations
    assert len({float(result.params["w"][0]) for result in results}) == 3


def test_a_schedule_is_followed():
    """Plain gradient descent on -calls: each step adds the rate of its own step."""
    optimizer = Optimizer("sgd", learning_rate=1.0, schedule="linear", warmup_steps=4, clip_norm=None)
    tiny = experiment(Config(steps=10), optimizer=optimizer, **_scores(1))
    longer = train(dataclasses.replace(tiny, steps=16), quiet=True)  # the same functions, but not the same rates
    rates = [0.2, 0.4, 0.6, 0.8, *(1 - step / 12 for step in range(6))]  # the best are those of step 10
    assert float(longer.params["calls"]) == pytest.approx(sum(rates), rel=1e-5)
    result = train(tiny, quiet=True)
    rates = [0.2, 0.4, 0.6, 0.8, *(1 - step / 6 for step in range(6))]
    assert float(result.params["calls"]) == pytest.approx(sum(rates), rel=1e-5)


def _breaking(at, what):
    """The tiny experiment, going wrong when the step numbered ``at`` is taken."""
    tiny = experiment()

    def batch(key, step):
        return *tiny.batch(key, step), step == at - 1

    def loss(params, batch, key):
        *data, broken = batch
        value, metrics = tiny.loss(params, data, key)
        if what == "loss":
            value = jnp.where(broken, jnp.nan, value)
        if what == "gradient":  # adds nothing to the loss, but to its gradient more than float32 can square
            first = params["w"][0]
            value = value + jnp.where(broken, 1e30, 0.0) * (first - jax.lax.stop_gradient(first))
        return value, metrics

    optimizer = Exploding(learning_rate=0.05, clip_norm=None, at=at - 1) if what == "update" else tiny.optimizer
    return dataclasses.replace(tiny, batch=batch, loss=loss, optimizer=optimizer)


@dataclasses.dataclass(frozen=True)
class Exploding(Optimizer):
    """Takes an infinite step."""

    at: int = 0

    def transformation(self, steps):
        growth = optax.scale_by_schedule(lambda count: jnp.where(count == self.at, jnp.inf, 1.0))
        return optax.chain(super().transformation(steps), growth)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("loss", "the loss is nan; the recurrent layers' values are finite, so it arises after them. A smaller"),
        (
            "gradient",
            r"its gradient is inf; every gradient is finite, the largest is 1e\+30 in w. A smaller",
        ),
        ("update", "the update makes parameters infinite or not a number; every gradient is finite"),
    ],
)
def test_a_non_finite_step_stops_the_run_and_is_named(what, sentence):
    with pytest.raises(NonFiniteError, match=f"tiny stopped at step 7: .*{sentence}"):
        train(_breaking(7, what), quiet=True)


def test_a_non_finite_batch_is_named():
    tiny = experiment()

    def batch(key, step):
        xs, targets = tiny.batch(key, step)
        return {"xs": xs.at[2, 1].set(jnp.where(step == 6, jnp.inf, xs[2, 1])), "targets": targets}

    def loss(params, batch, key):
        return tiny.loss(params, (batch["xs"], batch["targets"]), key)

    with pytest.raises(NonFiniteError, match="already the batch's entry xs at time index 2, row 1, is inf") as error:
        train(experiment(batch=batch, loss=loss), quiet=True)
    assert "learning rate" not in str(error.value)


def test_tensor_and_time_of_a_non_finite_value_inside_a_recurrent_layer_are_named():
    cell = LSTM(4)

    def init(key):
        return {"cell": cell.init(key, FEATURES), "w": jnp.ones(FEATURES)}

    def batch(key, step):
        return jax.random.normal(jax.random.fold_in(key, step), (12, 8, FEATURES)), step == 6

    def loss(params, batch, key):
        xs, broken = batch
        xs = xs.at[9, 5, 1].set(jnp.where(broken, jnp.inf, xs[9, 5, 1]))
        return jnp.mean(unroll(cell, params["cell"], xs)[0] ** 2), {}

    with pytest.raises(
        NonFiniteError, match="the first value that is not finite is z of recurrent layer 1, a LSTM, "
    ) as e:
        train(experiment(init=init, batch=batch, loss=loss, batch_size=8), quiet=True)
    assert "step 7" in str(e.value)
    assert "at time index 9, row 5. A smaller" in str(e.value)


def test_a_non_finite_step_leaves_the_state_before_it(tmp_path):
    with pytest.raises(NonFiniteError):
        train(_breaking(7, "loss"), workdir=tmp_path, quiet=True)
    # The same settings without the defect go on from there as if nothing had been.
    resumed = train(experiment(), workdir=tmp_path, quiet=True)
    assert losses(resumed.history) == losses(train(experiment(), quiet=True).history)


def test_records_can_be_thinned_out():
    result = train(experiment(log_every=5), quiet=True)
    assert [step for step, *_ in losses(result.history)] == [5, 10, 15, 20, 25, 30, 35, 40]


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(RunError, match="metric is 'accuracy', but evaluate gives mse"):
        train(experiment(metric="accuracy"), quiet=True)
    with pytest.raises(RunError, match=r"'worst' has shape \(4,\)"):
        train(dataclasses.replace(experiment(), loss=lambda params, batch, key: (0.0, {"worst": batch[1]})), quiet=True)
    with pytest.raises(ValueError, match="seed must be at least 0"):
        train(experiment(), seed=-1, quiet=True)
    with pytest.raises(TypeError, match=r"optimizer must be a lstm_jax\.train\.Optimizer"):
        experiment(optimizer=optax.adam(0.1))
    with pytest.raises(ValueError, match="steps must be a whole number of at least 1, got 0"):
        experiment(steps=0)
