"""Catalogue of datasets: one reader file each, with ``CARDS``, ``find``, ``read`` and ``admit``."""
