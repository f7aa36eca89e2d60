"""The loop trains everything, repeats with its seed, and stops on nonsense."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.unit.trainer.toys import TOY_PX, plan_of, toy
from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.features import choose_device, extract, to_input
from trainer.finetune import Classifier, Part, count_features, fine_tune, logits_of

CPU = torch.device("cpu")


def quiet(_stage: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


def bright_or_dark(n: int, seed: int) -> Part:
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % 2
    low = np.where(targets == 1, 130, 0)[:, None, None, None]
    pixels = rng.integers(0, 120, (n, TOY_PX, TOY_PX, 3)) + low
    return Part(pixels.astype(np.uint8), targets.astype(np.int64))


def tuned(steps: Preprocessing, seed: int = 0) -> tuple[Classifier, list[dict[str, object]]]:
    plan = plan_of(
        approach="fine_tuning_from_scratch", augmentation="online", epochs=8, batch_size=8,
        backbone_learning_rate=0.01, head_learning_rate=0.05, seed=seed,
    )  # fmt: skip
    classifier = Classifier(toy(), 4, 2)
    history: list[dict[str, object]] = []
    train, validation = bright_or_dark(32, 0), bright_or_dark(16, 1)
    fine_tune(classifier, train, validation, plan, steps, CPU, history.append, quiet)
    return classifier, history


def test_it_learns_and_writes_a_line_per_epoch(steps: Preprocessing) -> None:
    classifier, history = tuned(steps)
    part = bright_or_dark(40, 2)
    predicted = logits_of(classifier, part.pixels, steps, CPU).argmax(1).numpy()
    assert (predicted == part.targets).mean() > 0.9
    assert [line["epoch"] for line in history] == list(range(1, 9))
    assert {"train_loss", "validation_loss", "validation_auc", "learning_rate", "seconds"} <= set(
        history[0]
    )


def test_every_parameter_moves(steps: Preprocessing) -> None:
    classifier, _ = tuned(steps)
    before = toy().state_dict()
    for name, after in classifier.backbone.named_parameters():
        assert not torch.equal(after, before[name]), name


def test_batch_normalisation_keeps_the_statistics_of_the_pretraining(
    steps: Preprocessing,
) -> None:
    """Its scale and shift are trained, what it normalises by is not."""
    before, after = toy().state_dict(), tuned(steps)[0].backbone.state_dict()
    kept = {name for name in before if torch.equal(before[name], after[name])}
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    assert kept == {f"normalisation.{name}" for name in statistics}


def test_the_same_seed_gives_the_same_weights(steps: Preprocessing) -> None:
    first, second = (tuned(steps)[0].state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_seed_gives_other_weights(steps: Preprocessing) -> None:
    first, second = (tuned(steps, seed=seed)[0].state_dict() for seed in (0, 1))
    assert not torch.equal(first["head.weight"], second["head.weight"])


def test_a_loss_that_is_not_a_number_stops(steps: Preprocessing) -> None:
    plan = plan_of(approach="fine_tuning_from_scratch", augmentation="none", epochs=1)
    classifier = Classifier(toy(), 4, 2)
    with torch.no_grad():
        classifier.head.weight.fill_(float("nan"))
    part = bright_or_dark(8, 0)
    with pytest.raises(TrainingError, match="not a number"):
        fine_tune(classifier, part, part, plan, steps, CPU, lambda _line: None, quiet)


def test_extracting_features_changes_nothing(steps: Preprocessing) -> None:
    """Batch normalisation of a frozen network keeps its statistics."""
    network = toy()
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    pixels = np.asarray(bright_or_dark(70, 0).pixels)
    features = extract(network, pixels, steps, CPU, quiet)
    assert features.shape == (70, 4)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_features_do_not_depend_on_the_batch(steps: Preprocessing) -> None:
    pixels = np.asarray(bright_or_dark(40, 0).pixels)
    whole = extract(toy(), pixels, steps, CPU, quiet)
    single = extract(toy(), pixels[37:38], steps, CPU, quiet)
    # convolution sums in another order
    assert np.allclose(whole[37], single[0], atol=1e-5)


def test_input_is_normalised_channels_first(steps: Preprocessing) -> None:
    pixels = np.full((2, TOY_PX, TOY_PX, 3), 255, dtype=np.uint8)
    found = to_input(pixels, steps, CPU)
    assert found.shape == (2, 3, TOY_PX, TOY_PX)
    assert torch.allclose(found, torch.ones_like(found))
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("px", [TOY_PX, 32])
def test_the_number_of_features_is_found(px: int) -> None:
    assert count_features(toy(), px) == 4


def test_an_absent_or_unknown_device_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    check: Callable[[str], torch.device] = choose_device
    assert check("auto").type == "cpu"
    with pytest.raises(TrainingError, match="no CUDA device"):
        check("cuda")
    with pytest.raises(TrainingError, match="allowed: auto, cpu, cuda"):
        check("tpu")
