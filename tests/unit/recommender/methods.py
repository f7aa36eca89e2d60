"""The shipped corpus as if only some ways to train had been measured."""

from dataclasses import replace

from evidence.records import Corpus


def without_new_methods(corpus: Corpus) -> Corpus:
    """Frozen and fully fine-tuned pretrained networks were compared, and no run was timed."""
    known = tuple(
        one
        for one in corpus.controlled
        if one.initialisation == "pretrained" and one.approach != "fine_tuning"
    )
    return replace(corpus, controlled=known, shipped=())
