"""Triptych without a screen: three segmentation networks, their explanations and their scores.

Everything a page or a notebook needs is named here. Importing it loads no Keras.
"""

from __future__ import annotations

from core.asking import (
    numbered_components,
    pixel_target,
    shared_region,
    state_sentence,
    target_region,
    target_sentence,
)
from core.cards import NOTICE, DatasetCard, MethodCard, NetworkCard
from core.catalogues import methods as list_methods
from core.catalogues import network_cards as list_networks
from core.certificates import Certificate, read_certificate, trust_sentences
from core.claims import Claim, read_claim
from core.errors import (
    CoreError,
    DataMissing,
    DataRefused,
    JobBusy,
    RunMissing,
    RunRefused,
    TrainingFailed,
)
from core.explain.agreement import agreements as heatmap_agreements
from core.explain.agreement import only_here
from core.explain.definitions import BASELINES, FOCUS_NUMBERS, NumberCard
from core.explain.targets import components as connected_regions
from core.explain.targets import from_key as target_from_key
from core.explaining import heatmap, heatmaps, stored_heatmap
from core.export import export_volume
from core.judging import baseline_numbers
from core.metrics.conventions import PAPER_TABLE_2
from core.metrics.statistics import few as few_sentence
from core.prepared import card_json as read_card_json
from core.prepared import dataset_names as list_datasets
from core.prepared import (
    list_slices,
    opening_slice,
    read_card,
    read_slice,
    read_split,
    read_volume,
    volume_grid,
)
from core.preprocess import enlarge, labels_stack
from core.reading import (
    heatmap_numbers,
    predict,
    predict_many,
    predicted_labels,
    score,
    stored_prediction,
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
    "BASELINES",
    "FOCUS_NUMBERS",
    "NOTICE",
    "PAPER_TABLE_2",
    "PAPER_TARGET",
    "SIZE",
    "Certificate",
    "Claim",
    "CoreError",
    "DataMissing",
    "DataRefused",
    "DatasetCard",
    "Heatmap",
    "JobBusy",
    "MethodCard",
    "NetworkCard",
    "NumberCard",
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
    "baseline_numbers",
    "connected_regions",
    "csv_text",
    "enlarge",
    "export_volume",
    "few_sentence",
    "heatmap",
    "heatmap_agreements",
    "heatmap_numbers",
    "heatmaps",
    "labels_stack",
    "list_datasets",
    "list_methods",
    "list_networks",
    "list_runs",
    "list_slices",
    "numbered_components",
    "only_here",
    "opening_slice",
    "pixel_target",
    "predict",
    "predict_many",
    "predicted_labels",
    "read_card",
    "read_card_json",
    "read_certificate",
    "read_claim",
    "read_history",
    "read_results",
    "read_run",
    "read_slice",
    "read_split",
    "read_volume",
    "score",
    "shared_region",
    "state_sentence",
    "stored_heatmap",
    "stored_prediction",
    "target_from_key",
    "target_region",
    "target_sentence",
    "trust_sentences",
    "volume_grid",
]
