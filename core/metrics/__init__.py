"""Scores: counts first, formulas second, statistics last; the paper's conventions kept apart."""
