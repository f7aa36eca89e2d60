"""Settings beside backbone, approach and head, each with its reason."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from evidence.records import Backbone, Claim, TaskProfile
from evidence.vocabulary import Approach, Head, Initialisation
from recommender.citing import OWN, cited
from recommender.errors import RecommendationError
from recommender.records import Advice, Setting
from recommender.rules import Rule
from recommender.transforms import transforms

#: The largest class may hold this many times the images of the smallest and still count as in
#: balance. A choice of ours: the reviews extracted no class sizes.
IN_BALANCE = 1.5
#: Heads that cannot weigh classes: a vote of neighbours, and densities with priors of their own.
WITHOUT_WEIGHTS: frozenset[Head] = frozenset({"knn", "lda"})

#: Families whose convolutions end in fully connected layers instead of one pooled vector
#: (Morid 2022, Background 2.1.2; Kim 2022, Table 1).
WITHOUT_POOLING = frozenset({"AlexNet", "VGGNet"})
#: Morid 2022 on augmentation beforehand: how usual it is, and what it takes.
PLANNED_CLAIMS = ("m-augmentation-offline", "m-augmentation-cost")


def advise(
    profile: TaskProfile,
    backbone: Backbone,
    approach: Approach,
    head: Head,
    rules: Iterable[Rule],
    claims: Mapping[str, Claim],
    class_sizes: Sequence[int] | None = None,
    initialisation: Initialisation = "pretrained",
) -> Advice:
    """Say how to set up one choice.

    Parameters
    ----------
    profile : TaskProfile
        The question.
    backbone, approach, head : Backbone, str, str
        The choice.
    rules : iterable of Rule
        All rules or those that fire; only those that hold for question and choice count.
    claims : mapping of str to Claim
        The store's claims by key.
    class_sizes : sequence of int, optional
        Images per class, where the user's data are known.
    initialisation : str
        Of the choice.

    Returns
    -------
    Advice
        Where several rules set the same, the strongest counts; of equals the first.

    Raises
    ------
    RecommendationError
        No library carries out the backbone, so its input size is unknown.
    """
    held = [rule for rule in rules if rule.fires(profile)]
    held = [rule for rule in held if rule.concerns(backbone.name, backbone.family, approach, head)]
    return Advice(
        augmentation=_augmentation(profile, held, claims),
        transforms=transforms(profile, claims),
        image_px=_image_px(backbone, initialisation),
        head=_head(head, held, claims),
        initialisation=_initialisation(initialisation, held, claims),
        visualization=_visualization(backbone, head, held, claims),
        class_weighting=_class_weighting(profile, head, class_sizes),
        checks=tuple(
            _setting(rule.check, [rule], claims) for rule in held if rule.check is not None
        ),
    )


def _setting(value: str, rules: Sequence[Rule], claims: Mapping[str, Claim]) -> Setting:
    return Setting(
        value=value,
        reason=" ".join(rule.statement for rule in rules),
        rules=tuple(rule.id for rule in rules),
        claims=cited(dict.fromkeys(key for rule in rules for key in rule.claims), claims),
    )


def _own(value: str | int, reason: str) -> Setting:
    return Setting(value=value, reason=f"{reason} ({OWN})")


def _ruled(
    sets: Callable[[Rule], str | None], held: Sequence[Rule], claims: Mapping[str, Claim]
) -> Setting:
    ruling = [(value, rule) for rule in held if (value := sets(rule)) is not None]
    if not ruling:
        return _own("unspecified", "no rule speaks on it")
    value, rule = max(ruling, key=lambda pair: pair[1].strength)
    return _setting(value, [rule], claims)


def _augmentation(
    profile: TaskProfile, held: Sequence[Rule], claims: Mapping[str, Claim]
) -> Setting:
    planned = profile.n_augmented
    if planned is None or planned == profile.n_images:
        return _ruled(lambda rule: rule.augmentation, held, claims)
    return Setting(
        value="offline",
        reason=f"{profile.n_images:,} images are to become {planned:,} beforehand. Augment the "
        f"training part only, after the split ({OWN}).",
        claims=cited(PLANNED_CLAIMS, claims),
    )


def _initialisation(
    chosen: Initialisation, held: Sequence[Rule], claims: Mapping[str, Claim]
) -> Setting:
    """What the rules say; of random weights, which no rule advises, what speaks against them."""
    ruled = _ruled(lambda rule: rule.initialisation, held, claims)
    if chosen != "random":
        return ruled
    against = f"against it: {ruled.reason}" if ruled.rules else "no rule speaks on it"
    reason = f"it is where the ranking puts it ({OWN}); {against}"
    return ruled.model_copy(update={"value": chosen, "reason": reason})


def _image_px(backbone: Backbone, initialisation: Initialisation) -> Setting:
    if backbone.input_px is None:
        msg = f"{backbone.name}: no library carries it out, so its input size is unknown"
        raise RecommendationError(msg)
    why = ": its weights expect it" if initialisation == "pretrained" else ""
    reason = f"the input size that {backbone.name} is carried out with{why}"
    return _own(backbone.input_px, reason)


def _head(head: Head, held: Sequence[Rule], claims: Mapping[str, Claim]) -> Setting:
    on_heads = [
        rule
        for rule in held
        if not rule.is_setting and (rule.head or rule.approach == ("feature_extractor_hybrid",))
    ]
    if not on_heads:
        return _own(head, "no rule speaks for it: it is where the ranking puts it")
    return _setting(head, on_heads, claims)


def _visualization(
    backbone: Backbone, head: Head, held: Sequence[Rule], claims: Mapping[str, Claim]
) -> Setting:
    ruled = _ruled(lambda rule: rule.visualization, held, claims)
    if head != "linear":
        why = f"a class activation map needs a linear head on pooled features, unlike {head}"
    elif backbone.family in WITHOUT_POOLING:
        why = f"{backbone.name} does not end in pooled features: weigh the map by gradients"
    else:
        why = "a linear head on pooled features is all that a class activation map needs"
    return ruled.model_copy(update={"reason": f"{ruled.reason} Here, {why} ({OWN})."})


def _class_weighting(
    profile: TaskProfile, head: Head, class_sizes: Sequence[int] | None
) -> Setting:
    if profile.task == "regression":
        return _own("off", "a number has no classes")
    if head in WITHOUT_WEIGHTS:
        return _own("off", f"the head {head} takes no class weights")
    if not class_sizes:
        return _own("on", "class sizes are not known; where they are equal it changes nothing")
    smallest, largest = min(class_sizes), max(class_sizes)
    sizes = f"the smallest class holds {smallest:,} images, the largest {largest:,}"
    if largest <= IN_BALANCE * smallest:
        return _own("off", f"{sizes}: as good as in balance")
    return _own("on", f"{sizes}: unweighted, the small class would hardly count")
