"""Fits the model of core/policy_precedents.py to the precedents there are: python -m orchestration.core.policy_training"""

import hashlib
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from orchestration.core.policy_precedents import SIZE, WEIGHTS, Precedent, features, precedents

_FREEDOM = 30.0  # how freely weights may grow (scikit-learn's C); of 10, 30 and 100 the best on sets left out in turn


def fitted(known: Sequence[Precedent]) -> tuple[np.ndarray, float]:
    """Weights of shape (SIZE,) and a bias: the logarithm of the odds that a text with these features is barred."""
    each = [features(one.said) for one in known]
    starts = np.cumsum([0, *map(len, each)])
    places = np.array([place for found in each for place in found])
    values = np.array([value for found in each for value in found.values()])
    model = LogisticRegression(C=_FREEDOM, solver="liblinear", max_iter=3_000)
    model.fit(csr_matrix((values, places, starts), shape=(len(known), SIZE)), [one.rule is not None for one in known])
    return model.coef_[0], float(model.intercept_[0])


def fingerprint(known: Sequence[Precedent]) -> str:
    """Of precedents in words: it changes with them, and with how texts are read."""
    return hashlib.sha256(repr([(one.said, one.rule) for one in known]).encode()).hexdigest()


def main() -> None:
    """Write policy_weights.npz."""
    known = list(precedents())
    weights, bias = fitted(known)
    np.savez_compressed(WEIGHTS, weights=weights.astype(np.float16), bias=bias, fitted_to=fingerprint(known))


if __name__ == "__main__":
    main()
