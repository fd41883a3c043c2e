"""The three catalogues, derived from the files that are there: datasets, networks, heatmap methods."""

from __future__ import annotations

from types import ModuleType

import core.datasets
import core.models
from core import discover
from core.cards import DatasetCard, MethodCard, NetworkCard


def dataset_modules() -> dict[str, ModuleType]:
    """Reader modules of core.datasets by layout name."""
    return discover.modules(core.datasets)


def dataset_cards() -> dict[str, DatasetCard]:
    """Cards of the built-in datasets by dataset name."""
    return {card.name: card for module in dataset_modules().values() for card in module.CARDS}


def network_modules() -> dict[str, ModuleType]:
    """Modules of core.models by network name; each has ``CARD`` and ``build``."""
    return discover.modules(core.models)


def network_cards() -> dict[str, NetworkCard]:
    """Cards of the networks by name."""
    return {name: module.CARD for name, module in network_modules().items()}


def methods() -> dict[str, MethodCard]:
    """Cards of the heatmap methods by name, in the order of their table."""
    from core.explain.methods import METHODS

    return {name: row.card for name, row in METHODS.items()}
