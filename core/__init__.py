"""Triptych without a screen: three segmentation networks, their explanations and their scores.

Everything a page or a notebook needs is named here. Importing it loads no Keras.
"""

from __future__ import annotations

from core.cards import NOTICE, DatasetCard, MethodCard, NetworkCard
from core.catalogues import methods as list_methods
from core.catalogues import network_cards as list_networks
from core.errors import (
    CoreError,
    DataMissing,
    DataRefused,
    JobBusy,
    RunMissing,
    RunRefused,
    TrainingFailed,
)
from core.export import export_volume
from core.metrics.conventions import PAPER_TABLE_2
from core.prepared import card_json as read_card_json
from core.prepared import dataset_names as list_datasets
from core.prepared import list_slices, read_card, read_slice, read_split, read_volume, volume_grid
from core.preprocess import enlarge, labels_stack
from core.reading import (
    heatmap,
    heatmap_numbers,
    predict,
    predict_many,
    predicted_labels,
    score,
    state_sentence,
    stored_heatmap,
    stored_prediction,
    target_sentence,
)
from core.records import (
    PAPER_TARGET,
    SIZE,
    Heatmap,
    Prediction,
    Run,
    Scores,
    Slice,
    SliceEntry,
    Target,
    Volume,
)
from core.results import csv_text, read_results
from core.runs import list_runs, read_history, read_run

__all__ = [
    "NOTICE",
    "PAPER_TABLE_2",
    "PAPER_TARGET",
    "SIZE",
    "CoreError",
    "DataMissing",
    "DataRefused",
    "DatasetCard",
    "Heatmap",
    "JobBusy",
    "MethodCard",
    "NetworkCard",
    "Prediction",
    "Run",
    "RunMissing",
    "RunRefused",
    "Scores",
    "Slice",
    "SliceEntry",
    "Target",
    "TrainingFailed",
    "Volume",
    "csv_text",
    "enlarge",
    "export_volume",
    "heatmap",
    "heatmap_numbers",
    "labels_stack",
    "list_datasets",
    "list_methods",
    "list_networks",
    "list_runs",
    "list_slices",
    "predict",
    "predict_many",
    "predicted_labels",
    "read_card",
    "read_card_json",
    "read_history",
    "read_results",
    "read_run",
    "read_slice",
    "read_split",
    "read_volume",
    "score",
    "state_sentence",
    "stored_heatmap",
    "stored_prediction",
    "target_sentence",
    "volume_grid",
]
