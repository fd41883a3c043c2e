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
from core.audit import append as write_audit
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
    StudyRefused,
    TrainingFailed,
)
from core.explain.agreement import agreements as heatmap_agreements
from core.explain.agreement import only_here
from core.explain.definitions import BASELINES, FOCUS_NUMBERS, NumberCard
from core.explain.targets import components as connected_regions
from core.explain.targets import from_key as target_from_key
from core.explaining import heatmap, heatmaps, stored_heatmap
from core.export import export_volume
from core.export_maps import maps_nifti, maps_npz
from core.jobs import (
    Job,
    ask_to_stop,
    list_jobs,
    log_tail,
    read_job,
    resume_training,
    start_training,
    training_is_allowed,
)
from core.judging import baseline_numbers
from core.latex import latex_table
from core.lessons import (
    MapSteps,
    Neighbour,
    dice_by_rule,
    map_steps,
    nearest_training_slices,
    stored_map_steps,
)
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
from core.reading import heatmap_numbers, predict, predict_many, predicted_labels, score, stored_prediction
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
from core.report import Figure as ReportFigure
from core.report import Section as ReportSection
from core.report import Table as ReportTable
from core.report import report_html
from core.report_pictures import (
    Outline,
    Overlay,
    colour_bar_png,
    grey_levels,
    mask_png,
    picture_png,
    preview_png,
)
from core.results import csv_text, read_results
from core.runs import list_runs, read_history, read_run, unlike
from core.settings import Setting, list_settings, training_config
from core.study import QUESTIONS as STUDY_QUESTIONS
from core.study import Study
from core.study_analysis import StudyResults
from core.study_analysis import results as study_results
from core.study_analysis import tables as study_tables
from core.study_definition import practice as practice_study
from core.study_files import create as create_study
from core.study_files import list_studies, studied_cases
from core.study_files import outlines as study_outlines
from core.study_files import read as read_study
from core.study_store import SIGN_SECONDS as STUDY_SIGN_SECONDS
from core.study_store import attend as attend_study
from core.study_store import due as study_due
from core.study_store import leave as leave_study
from core.study_store import lock as lock_study
from core.study_store import lock_of as study_lock
from core.study_store import progress as study_progress
from core.study_store import sit_down as sit_down_to_study
from core.study_store import submit as submit_to_study
from core.table_checks import convention_checks, leakage_checks, published_checks, stored_checks
from core.thresholds import (
    THRESHOLDS,
    ThresholdCurve,
    ValidationCurve,
    best_threshold,
    stored_validation_curve,
    threshold_curve,
    threshold_levels,
    validation_curve,
)
from core.upload import (
    Upload,
    UploadNumbers,
    explain_upload,
    predict_upload,
    read_upload,
    upload_numbers,
    with_reference,
)
from core.verdicts import VERDICTS, Verdict, read_verdicts, record_verdict, verdict_counts, verdict_rows

__all__ = [
    "BASELINES",
    "FOCUS_NUMBERS",
    "NOTICE",
    "PAPER_TABLE_2",
    "PAPER_TARGET",
    "SIZE",
    "STUDY_QUESTIONS",
    "STUDY_SIGN_SECONDS",
    "THRESHOLDS",
    "VERDICTS",
    "Certificate",
    "Claim",
    "CoreError",
    "DataMissing",
    "DataRefused",
    "DatasetCard",
    "Heatmap",
    "Job",
    "JobBusy",
    "MapSteps",
    "MethodCard",
    "Neighbour",
    "NetworkCard",
    "NumberCard",
    "Outline",
    "Overlay",
    "Prediction",
    "ReportFigure",
    "ReportSection",
    "ReportTable",
    "Run",
    "RunMissing",
    "RunRefused",
    "Scores",
    "Setting",
    "Slice",
    "SliceEntry",
    "Study",
    "StudyRefused",
    "StudyResults",
    "Target",
    "ThresholdCurve",
    "TrainingFailed",
    "Upload",
    "UploadNumbers",
    "ValidationCurve",
    "Verdict",
    "Volume",
    "ask_to_stop",
    "attend_study",
    "baseline_numbers",
    "best_threshold",
    "colour_bar_png",
    "connected_regions",
    "convention_checks",
    "create_study",
    "csv_text",
    "dice_by_rule",
    "enlarge",
    "explain_upload",
    "export_volume",
    "few_sentence",
    "grey_levels",
    "heatmap",
    "heatmap_agreements",
    "heatmap_numbers",
    "heatmaps",
    "labels_stack",
    "latex_table",
    "leakage_checks",
    "leave_study",
    "list_datasets",
    "list_jobs",
    "list_methods",
    "list_networks",
    "list_runs",
    "list_settings",
    "list_slices",
    "list_studies",
    "lock_study",
    "log_tail",
    "map_steps",
    "maps_nifti",
    "maps_npz",
    "mask_png",
    "nearest_training_slices",
    "numbered_components",
    "only_here",
    "opening_slice",
    "picture_png",
    "pixel_target",
    "practice_study",
    "predict",
    "predict_many",
    "predict_upload",
    "predicted_labels",
    "preview_png",
    "published_checks",
    "read_card",
    "read_card_json",
    "read_certificate",
    "read_claim",
    "read_history",
    "read_job",
    "read_results",
    "read_run",
    "read_slice",
    "read_split",
    "read_study",
    "read_upload",
    "read_verdicts",
    "read_volume",
    "record_verdict",
    "report_html",
    "resume_training",
    "score",
    "shared_region",
    "sit_down_to_study",
    "start_training",
    "state_sentence",
    "stored_checks",
    "stored_heatmap",
    "stored_map_steps",
    "stored_prediction",
    "stored_validation_curve",
    "studied_cases",
    "study_due",
    "study_lock",
    "study_outlines",
    "study_progress",
    "study_results",
    "study_tables",
    "submit_to_study",
    "target_from_key",
    "target_region",
    "target_sentence",
    "threshold_curve",
    "threshold_levels",
    "training_config",
    "training_is_allowed",
    "trust_sentences",
    "unlike",
    "upload_numbers",
    "validation_curve",
    "verdict_counts",
    "verdict_rows",
    "volume_grid",
    "with_reference",
    "write_audit",
]
