"""Measures of classifiers and of synthetic samples; importing them loads no Keras."""

from melanet.metrics._distances import diversity_ratio, nearest_samples
from melanet.metrics._fidelity import kernel_inception_distance, manifold_scores, two_sample_test
from melanet.metrics._paper_table import paper_table_1
from melanet.metrics._patch_features import PatchFeatures
from melanet.metrics._quality_report import QualityReport, quality_report
from melanet.metrics._screening import ScreeningReport, screening_report
from melanet.metrics._translation_measures import class_evidence, realism
from melanet.metrics._verdict import judge_class

__all__ = [
    "PatchFeatures",
    "QualityReport",
    "ScreeningReport",
    "class_evidence",
    "diversity_ratio",
    "judge_class",
    "kernel_inception_distance",
    "manifold_scores",
    "nearest_samples",
    "paper_table_1",
    "quality_report",
    "realism",
    "screening_report",
    "two_sample_test",
]
