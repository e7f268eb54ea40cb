"""Fits the model of core/policy_precedents.py to the precedents there are (`make precedents`)."""

import hashlib
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from orchestration.core.policy_precedents import SIZE, WEIGHTS, Model, Precedent, features, key, precedents

_FREEDOM = 30.0  # how freely weights may grow (scikit-learn's C); of 10, 30 and 100 the best on sets left out in turn


def fitted(known: Sequence[Precedent]) -> Model:
    """The model that tells these barred phrases from these innocent ones."""
    learner = LogisticRegression(C=_FREEDOM, solver="liblinear", max_iter=3_000)
    learner.fit(_matrix(known), [one.rule is not None for one in known])
    barred = frozenset(key(one.said) for one in known if one.rule)
    # what a phrase of markup has in common with a barred one decides nothing
    innocent = frozenset(key(one.said) for one in known if not one.rule) - barred
    return Model(learner.coef_[0], float(learner.intercept_[0]), barred, innocent)


def fingerprint(known: Sequence[Precedent]) -> str:
    """Of all that the model is fitted to: it changes with the precedents and with what is seen of them."""
    matrix = _matrix(known)
    told = hashlib.sha256(repr([_FREEDOM, *((one.said, one.rule) for one in known)]).encode())
    told.update(matrix.indices.tobytes() + matrix.data.astype(np.float32).tobytes())
    return told.hexdigest()


def _matrix(known: Sequence[Precedent]) -> csr_matrix:
    """Shape (precedents, SIZE)."""
    each = [features(one.said) for one in known]
    starts = np.cumsum([0, *map(len, each)])
    places = np.array([place for found in each for place in found], dtype=np.int32)
    values = np.array([value for found in each for value in found.values()])
    return csr_matrix((values, places, starts), shape=(len(known), SIZE))


def train() -> tuple[int, int]:
    """Write policy_weights.npz; how many barred and how many innocent texts it is fitted to."""
    known = list(precedents())
    model = fitted(known)
    np.savez_compressed(
        WEIGHTS,
        weights=model.weights.astype(np.float16),
        bias=model.bias,
        barred=np.array(sorted(model.barred), dtype=np.uint64),
        innocent=np.array(sorted(model.innocent), dtype=np.uint64),
        fitted_to=fingerprint(known),
    )
    barred = sum(one.rule is not None for one in known)
    return barred, len(known) - barred
