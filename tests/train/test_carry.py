"""What goes from step to step beside the parameters: a carry of the loss, an average of the parameters."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.train import Experiment, Member, Optimizer, Result, RunError, train, train_population


@dataclasses.dataclass(frozen=True)
class Config:
    steps: int = 12


def counting(steps=12, **changes):
    """The carry counts the steps; the parameter falls by its gradient, 1 a step times the rate."""

    def loss(params, batch, key, carry):
        return params["w"], {"carried": carry["count"]}, {"count": carry["count"] + 1}

    given = {
        "name": "counting",
        "init": lambda key: {"w": jnp.float32(0)},
        "batch": lambda key, step: step,
        "loss": loss,
        "carry": lambda params: {"count": params["w"]},
        "evaluate": lambda params, key: {"w": -params["w"]},
        "optimizer": Optimizer("sgd", learning_rate=1.0, clip_norm=None),
        "steps": steps,
        "batch_size": 1,
        "metric": "w",
        "goal": "max",
        "evaluate_every": 3,
        "steps_per_call": 2,
        "config": Config(steps),
    }
    return Experiment(**(given | changes))


def carried(result):
    return [record["carried"] for record in result.history if record["split"] == "train"]


def test_the_carry_goes_on_through_calls_and_a_resumption(tmp_path):
    assert carried(train(counting(), quiet=True)) == list(range(12))
    train(counting(5), workdir=tmp_path, quiet=True)
    assert carried(train(counting(), workdir=tmp_path, quiet=True)) == list(range(12))


def test_no_gradient_flows_through_the_carry():
    def loss(params, batch, key, carry):
        return params["w"] * 0 + carry, {}, params["w"] * 100

    result = train(counting(loss=loss, carry=lambda params: params["w"]), quiet=True)
    assert float(result.params["w"]) == 0.0


@pytest.mark.parametrize("handed", [lambda carry: {}, lambda carry: {"count": jnp.zeros(2)}, lambda carry: None])
def test_another_carry_than_the_first_is_refused(handed):
    with pytest.raises(RunError, match="must hand on a carry of the structure, shapes and dtypes"):
        train(counting(loss=lambda p, b, k, carry: (p["w"], {}, handed(carry))), quiet=True)


def test_a_loss_without_its_carry_is_refused():
    with pytest.raises(RunError, match=r"must return \(loss, metrics, carry\)"):
        train(counting(loss=lambda p, b, k, carry: (p["w"], {})), quiet=True)


AVERAGED = Optimizer("sgd", learning_rate=1.0, clip_norm=None, average_after=2)


def averaging(steps=20, worse_from=8, **changes):
    """A score that gets worse after some steps; w is minus the number of steps."""
    return counting(
        steps,
        optimizer=AVERAGED,
        evaluate=lambda params, key: {"w": -jnp.abs(params["w"] + worse_from), "mean": params["w"]},
        **changes,
    )


def means(result):
    return {record["step"]: record["mean"] for record in result.history if record["split"] == "validation"}


def test_averaging_begins_when_validation_gets_worse():
    """Merity et al. 2018, algorithm 1, with n = 2: validations every 3 steps of the scores -5 -2 -1 -4 ..."""
    found = means(train(averaging(), quiet=True))
    # That of step 12, -4, is worse than the best of those before the last two, -5? No. At 15: -7 < max(-5, -2).
    begun = 15 + 2
    for step, mean in found.items():
        expected = -step if step <= begun else np.mean([-float(one) for one in range(begun + 1, step + 1)])
        assert mean == pytest.approx(expected), step
    assert max(found) == 20


def test_a_resumed_run_averages_the_same(tmp_path):
    whole = train(averaging(24), quiet=True)

    class StopError(Exception):
        pass

    for stop in (9, 15, 18, 21):

        def watch(record, stop=stop):
            if record["step"] == stop:
                raise StopError

        with pytest.raises(StopError):
            train(averaging(24), workdir=tmp_path, quiet=True, watch=watch, checkpoint_every=0)
    part = train(averaging(24), workdir=tmp_path, quiet=True)
    assert means(part) == means(whole)
    jax.tree.map(np.testing.assert_array_equal, part.params, whole.params)


def test_without_a_worse_score_nothing_is_averaged():
    found = means(train(averaging(worse_from=100), quiet=True))
    assert all(mean == -step for step, mean in found.items())


def test_nothing_else_changes():
    """The steps themselves are those without averaging."""
    plain = train(averaging(), quiet=True)
    other = train(
        dataclasses.replace(averaging(), optimizer=dataclasses.replace(AVERAGED, average_after=None)), quiet=True
    )
    losses = [[r["loss"] for r in result.history if r["split"] == "train"] for result in (plain, other)]
    assert losses[0] == losses[1]
    with pytest.raises(ValueError, match=r"optimizer\.average_after must be a whole number of at least 1, got 0"):
        Optimizer(average_after=0)


def test_what_is_scored_may_be_computed_from_the_carry():
    """In a population, too, where states are stacked: its arithmetic is that of one run."""

    def complete(params, carry):
        return {"w": params["w"] / (1 + carry["count"])}

    experiment = counting(complete=complete)
    result = train(experiment, quiet=True)
    assert float(result.params["w"]) == pytest.approx(result.metrics["w"] * -1)
    scores = [record["w"] for record in result.history if record["split"] == "validation"]
    assert scores == pytest.approx([step / (1 + step) for step in (3, 6, 9, 12)])
    for member in train_population([Member(experiment, seed) for seed in (0, 1)], quiet=True):
        assert isinstance(member, Result)
        assert member.metrics["w"] == pytest.approx(result.metrics["w"])
