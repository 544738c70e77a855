"""A committee of any classifiers that have probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, check_cv
from sklearn.utils import Bunch, Tags, check_consistent_length, check_random_state, get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d, has_fit_parameter

from toile.arrays import Probabilities
from toile.committee.assemble import FITS, settle
from toile.committee.rules import RULES
from toile.errors import Misuse, nearest
from toile.estimators.base import InvalidParameter, ProbabilisticClassifier
from toile.estimators.image import ImageClassifier
from toile.estimators.members import check_finite, classes_of, finite, fitted_to, placed, said_of
from toile.evaluation.calibrators import AUTO, CALIBRATIONS
from toile.evaluation.predictions import Predictions
from toile.study.committee import CALIBRATED_RULES, FITTED_RULES

# What has numbers for each class: without images of a class they would forbid it.
PER_CLASS = {"stack", "vector", "isotonic", "auto"}


class CommitteeClassifier(ProbabilisticClassifier, _BaseComposition):
    """Classifiers whose probabilities are joined by one of toile's rules. (Also called an ensemble.)

    Args:
        members: classifiers with `predict_proba`, or names of architectures, each of which stands for an `ImageClassifier`. Or
            (name, member) pairs: then `name__parameter` is a parameter of the committee. None for three times
            `ImageClassifier()`, which differ in their seeds.
        rule: a name that `toile list` shows.
        weights: for the rule "weighted-mean": a number a member, or "fit". What is fitted, as "log-pool", "stack" and "greedy"
            always are, has the least log loss of out-of-fold probabilities, from members that are fitted for it in
            cross-validation. "greedy" chooses some of the members; the others are not in the committee.
        calibration: "temperature", "vector", "isotonic", or "auto" for the best of them by folds: what is done after the rule,
            fitted to out-of-fold probabilities too. None for nothing. After "log-pool" and "stack", which their own fit
            calibrates, it is off.
        cv: folds of that cross-validation: a number, a splitter or splits, as scikit-learn has them; None for 5. Of a number,
            no more than the rarest class has images, or than there are `groups`, with which it is a StratifiedGroupKFold.
        n_jobs: members that are fitted at once, each in a process of its own; as scikit-learn has it.
        random_state: of the members that have none of their own: an integer, a RandomState, or None for others each time.

    Attributes:
        members_: the fitted classifiers.
        named_members_: the same by name.
        weights_: one a member, or as the rule takes them, or None.
        calibration_: what is done after the rule, or None.
        classes_: labels `(classes,)`, sorted.
        n_features_in_, feature_names_in_: the first member's, where it has them.
    """

    def __init__(
        self,
        members: Sequence[Any] | None = None,
        *,
        rule: str = "mean",
        weights: Sequence[float] | str | None = None,
        calibration: str | None = None,
        cv: Any = 5,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.members, self.rule, self.weights, self.calibration = members, rule, weights, calibration
        self.cv, self.n_jobs, self.random_state = cv, n_jobs, random_state

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters; with `deep` also named members, and theirs as `name__parameter`."""
        return self._get_params("members", deep=deep and self._named)

    def set_params(self, **params: Any) -> Self:
        """Set parameters, named members, or theirs."""
        if "members" in params:
            self.members = params.pop("members")
        return self._set_params("members", **params) if self._named else super().set_params(**params)

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Fit a copy of each member to images `X` with labels `y` `(n,)`.

        Args:
            sample_weight: `(n,)`, what each image counts, from 0 up, for every member. What is fitted to out-of-fold
                probabilities takes all images alike but those of weight 0, which it leaves out.
            groups: `(n,)`: images of one group are held out together, by `cv` and by members whose `fit` takes `groups`.

        Raises:
            InvalidParameter: members, a rule or weights that do not go together, or a member that takes no weights.
        """
        check_classification_targets(y)
        untrained = self._untrained()
        names, members = [name for name, _ in untrained], [member for _, member in untrained]
        given = {"sample_weight": sample_weight, "groups": groups}
        given = {name: _each(name, values, X) for name, values in given.items() if values is not None}
        taken = [self._taken(name, member, given) for name, member in zip(names, members, strict=True)]
        weights: Any = self.weights
        self.weights_, self.calibration_, self._finite, known = weights, None, False, []
        if self._check(len(members)):
            unseen, known, refusing = self._out_of_fold(members, X, y, taken, given)
            settled = settle(self.rule, weights, self._after, unseen)
            self.weights_, self.calibration_ = settled.weights, settled.calibration
            # One that was not chosen refused missing numbers here, and says so no more when it is not asked.
            self._finite = not refusing <= {*settled.members} and finite(X)
            names, members, taken = (
                [names[i] for i in settled.members],
                [members[i] for i in settled.members],
                [taken[i] for i in settled.members],
            )
        fitted: Any = Parallel(n_jobs=self.n_jobs)(
            delayed(fitted_to)(member, X, y, of) for member, of in zip(members, taken, strict=True)
        )
        self.members_, self.named_members_ = fitted, Bunch(**dict(zip(names, fitted, strict=True)))
        # One that is frozen may know classes that these images have none of, as may one that was not chosen.
        self.classes_ = classes_of(column_or_1d(np.asarray(y)), [*known, *(member.classes_ for member in fitted)])
        for attribute in ("n_features_in_", "feature_names_in_"):
            if hasattr(fitted[0], attribute):
                setattr(self, attribute, getattr(fitted[0], attribute))
        return self

    def predict_proba(self, X: Any) -> Probabilities:
        """Probabilities `(n, classes)` float32; rows sum to 1."""
        check_is_fitted(self)
        if self._finite:
            check_finite(X)
        said = [placed(member.predict_proba(X), member.classes_, self.classes_) for member in self.members_]
        joint = RULES[self.rule](np.stack(said), self.weights_)
        return joint if self.calibration_ is None else self.calibration_(joint)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inputs = [get_tags(member).input_tags for _, member in self._pairs()]
        tags.input_tags.sparse = all(one.sparse for one in inputs)
        tags.input_tags.allow_nan = all(one.allow_nan for one in inputs)
        return tags

    @property
    def _named(self) -> bool:
        return isinstance(self.members, list) and bool(self.members) and all(isinstance(one, tuple) for one in self.members)

    def _pairs(self) -> list[tuple[str, Any]]:
        """(name, classifier), as they were given."""
        members: Any = [_requesting(ImageClassifier()) for _ in range(3)] if self.members is None else self.members
        pairs = members if self._named else [(f"member-{number}", member) for number, member in enumerate(members, 1)]
        return [(name, _requesting(ImageClassifier(member)) if isinstance(member, str) else member) for name, member in pairs]

    def _untrained(self) -> list[tuple[str, Any]]:
        """(name, copy), each random one with a seed."""
        if self.members is not None and not (isinstance(self.members, list | tuple) and self.members):
            raise InvalidParameter(f"members are a list of one at least, or None for the default; got {self.members!r}")
        pairs = self._pairs()
        self._validate_names([name for name, _ in pairs])
        random, copies = check_random_state(self.random_state), []
        for name, member in pairs:
            if not hasattr(member, "predict_proba"):
                hint = "; all members have names, or none has" if isinstance(member, tuple) else ""
                raise InvalidParameter(f"{name} has no probabilities: {member!r}{hint}")
            copy: Any = clone(member)
            seeds = [key for key, value in sorted(copy.get_params().items()) if key.endswith("random_state") and value is None]
            copy.set_params(**{key: random.randint(np.iinfo(np.int32).max) for key in seeds})  # a frozen one gives nothing back
            copies.append((name, copy))
        return copies

    def _check(self, count: int) -> bool:
        """Whether anything is to be fitted to out-of-fold probabilities.

        Raises:
            InvalidParameter: a rule, weights or a calibration that cannot be.
        """
        if self.rule not in RULES:
            raise InvalidParameter(f"unknown rule {self.rule!r}{nearest(str(self.rule), RULES)}; allowed: {', '.join(RULES)}")
        known = (*CALIBRATIONS, AUTO)
        if self.calibration and self.calibration not in known:
            hint, allowed = nearest(str(self.calibration), known), ", ".join(known)
            raise InvalidParameter(f"unknown calibration {self.calibration!r}{hint}; allowed: {allowed}, or None")
        weights = self.weights
        if isinstance(weights, str) and weights != "fit":
            raise InvalidParameter(f'weights are numbers, one a member, or "fit"; got {weights!r}')
        if self.rule in FITTED_RULES and not (weights is None or isinstance(weights, str)):
            raise InvalidParameter(f"the weights of the rule {self.rule!r} are fitted; leave them out")
        if self.rule not in FITS and isinstance(weights, str):
            raise InvalidParameter(f"the rule {self.rule!r} takes no weights; these are fitted: {', '.join(FITS)}")
        if self.rule not in FITTED_RULES and not isinstance(weights, str):
            try:
                RULES[self.rule](np.full((count, 1, 2), 0.5), weights)
            except Misuse as error:
                raise InvalidParameter(str(error)) from None
        return self.rule in FITTED_RULES or isinstance(weights, str) or self._after is not None

    @property
    def _after(self) -> str | None:
        """The calibration that is fitted after the rule; None for a rule that its own fit calibrates."""
        return self.calibration if self.calibration and self.rule not in CALIBRATED_RULES else None

    def _taken(self, name: str, member: Any, given: dict[str, Any]) -> dict[str, Any]:
        """What of the metadata `given` a member's `fit` takes."""
        if get_config()["enable_metadata_routing"]:  # then each says for itself what it requests
            routed: Any = process_routing(self, "fit", **given)
            return dict(routed[name].fit)
        if "sample_weight" in given and not has_fit_parameter(member, "sample_weight"):
            raise InvalidParameter(f"{name} takes no sample_weight: {member!r}")
        return {key: values for key, values in given.items() if has_fit_parameter(member, key)}

    def get_metadata_routing(self) -> MetadataRouter:
        """What `fit` requests of scikit-learn's metadata routing: its own, and each member's by name."""
        router = MetadataRouter(owner=self).add_self_request(self)
        fit = MethodMapping().add(caller="fit", callee="fit")
        for name, member in self._pairs():
            router.add(**{name: member}, method_mapping=fit)
        return router

    def _out_of_fold(
        self, members: Sequence[Any], X: Any, y: Any, taken: Sequence[dict[str, Any]], given: dict[str, Any]
    ) -> tuple[list[Predictions], list[Any], set[int]]:
        """What each member says of every image when it is fitted without it; the classes that one of them knows; and, where
        some are chosen, which of them refuse missing numbers."""
        X, y = indexable(X, column_or_1d(np.asarray(y), warn=True))
        rarest = np.unique(y, return_counts=True)[1].min()
        groups = given.get("groups")
        count: Any = 5 if self.cv is None else self.cv
        if isinstance(count, Integral):  # no more folds than the rarest class has images, so that members learn of every class
            if count < 2:
                raise InvalidParameter(f"cv is a number of folds from 2 up, a splitter or splits; got {count!r}")
            count = max(2, min(count, rarest))
            if groups is not None:
                if (several := len(np.unique(groups))) < 2:
                    raise InvalidParameter(
                        "all images are of one group, and a group is held out whole; two at least are needed"
                    )
                count = StratifiedGroupKFold(min(count, several))
        cut: Any = check_cv(count, y, classifier=True)
        folds = list(cut.split(X, y, groups))
        if not np.array_equal(np.sort(np.concatenate([held for _, held in folds])), np.arange(len(y))):
            raise InvalidParameter("each image is in one fold of cv, once; these folds are no partition")
        jobs = [(member, of, *fold) for member, of in zip(members, taken, strict=True) for fold in folds]
        said: Any = Parallel(n_jobs=self.n_jobs)(
            delayed(said_of)(clone(member), X, y, of, train, held, self.rule == "greedy") for member, of, train, held in jobs
        )
        classes = classes_of(y, [known for known, _, _ in said])
        labels = np.searchsorted(classes, y)
        counts = np.bincount(labels, minlength=len(classes))
        if PER_CLASS & {self.rule, self._after} and not counts.all():
            raise InvalidParameter(
                f"members know the class {classes.tolist()[counts.argmin()]!r}, of which there is no image to fit to; give "
                "some of each class, or take log-pool or temperature"
            )
        found = np.zeros((len(members), len(y), len(classes)), np.float32)
        for at, (job, (known, probabilities, _)) in enumerate(zip(jobs, said, strict=True)):
            found[at // len(folds)][job[-1]] = placed(probabilities, known, classes)
        counted = np.asarray(given.get("sample_weight", labels + 1)) > 0
        # Of a class that it was not shown, a member says that it cannot be. One that is frozen may know it all the same; if it
        # never will, that counts.
        knows = np.array([np.isin(classes, known) for known, _, _ in said]).reshape(len(members), len(folds), len(classes))
        ever: Any = knows.any(axis=1, keepdims=True)
        shown = np.zeros(len(labels), bool)
        for number, (_, held) in enumerate(folds):
            shown[held] = (knows | ~ever)[:, number, labels[held]].all(axis=0) & ever.any(axis=0)[0, labels[held]]
        if PER_CLASS & {self.rule, self._after}:
            never = counts * ~np.isin(np.arange(len(classes)), labels[shown])
            if never.max() > 1:
                label = classes.tolist()[never.argmax()]
                if not ever[:, 0, never.argmax()].any():
                    raise InvalidParameter(
                        f"no member knows the class {label!r}; leave its images out, or add a member that learns it"
                    )
                raise InvalidParameter(
                    f"each fold of cv holds out all images of {label!r} or none, so that no member learned the class that it "
                    "is asked for; give folds with a share of each class, or take log-pool or temperature"
                )
            shown |= never[labels] > 0  # a class's only image
        counted &= shown
        if not counted.any():
            raise InvalidParameter("each fold of cv holds out whole classes, so that nothing is left to fit to")
        refusing = {at // len(folds) for at, (_, _, refuses) in enumerate(said) if refuses}
        return [Predictions("out-of-fold", one[counted], labels[counted]) for one in found], [classes], refusing


def _requesting(member: ImageClassifier) -> Any:
    """A member that the committee itself made: where metadata is routed, it takes all that there is."""
    if not get_config()["enable_metadata_routing"]:
        return member
    made: Any = member  # the method is made by scikit-learn, from the parameters of `fit`
    return made.set_fit_request(sample_weight=True, groups=True)


def _each(name: str, values: Any, X: Any) -> Any:
    """Something of each image `(n,)`: weights may be one number, as scikit-learn has them."""
    if name == "sample_weight":
        return _check_sample_weight(values, X, ensure_non_negative=True)
    values = column_or_1d(values)
    check_consistent_length(X, values)
    return values
