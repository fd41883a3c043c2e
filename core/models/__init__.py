"""Catalogue of networks: one file each, with ``CARD`` and ``build``. Importing it loads no Keras."""
